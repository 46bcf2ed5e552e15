"""Provisions over a scripted OpenFunnel: what it answers, who asks, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pulumi_openfunnel.api.client import BALANCE
from pulumi_openfunnel.errors import OpenFunnelError
from pulumi_openfunnel.ledger.ledger import Row
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning import connections as shared
from pulumi_openfunnel.provisioning.create import EndUser, provision
from pulumi_openfunnel.settings import Settings

from ..servers import (
    INTERNAL_EMAIL,
    ORCHESTRATOR,
    PROVISIONER_KEY,
    USER_KEY,
    Request,
    ScriptedServer,
    answer,
    hides_keys,
)

ALICE = EndUser("alice@alice-startup.com", INTERNAL_EMAIL)
NEW_KEY = "of_alice_9876543210"
LEDGER_KEY = bytes(range(32))
CREDITS = answer(200, {"credits_left": 7})


@dataclass
class Console:
    """What an operation said."""

    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)

    @property
    def operation(self) -> Operation:
        return Operation(warn=self.warnings.append, info=self.infos.append, progress=self.progress.append)


def another_process() -> None:
    """Forget what this process shares, as if the next call came from another one, after this one's end."""
    for ledger in shared._ledgers.values():
        ledger.close()
    shared._ledgers.clear()


def settings_for(base_url: str, path: Path | None, timeout: float = 5.0) -> Settings:
    return Settings(ORCHESTRATOR, "orchestrator.com", base_url, PROVISIONER_KEY, timeout=timeout, ledger=path)


def created(key: str = USER_KEY, email: str = INTERNAL_EMAIL) -> bytes:
    return answer(200, {"id": 7, "email": email, "api_key": key})


def failure(settings: Settings, class_: type[OpenFunnelError], user: EndUser = ALICE) -> str:
    """What an error of this class tells: one line without a key."""
    with pytest.raises(class_) as caught:
        provision(settings, user)
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return str(caught.value)


def scripted(
    server: ScriptedServer,
    create: Callable[[Request], Iterable[bytes]] | bytes,
    balance: Callable[[str], bytes] = lambda _key: CREDITS,
) -> None:
    """Answer create-user with one, and the balance of a key with the other."""

    def script(request: Request) -> Iterable[bytes]:
        if request.path == BALANCE:
            return [balance(request.headers["x-api-key"])]
        return [create] if isinstance(create, bytes) else create(request)

    server.script = script


def creates(server: ScriptedServer) -> int:
    """How many create-user requests came."""
    return sum(request.path != BALANCE for request in server.requests)


def rows(path: Path) -> list[Row]:
    return shared.ledger_at(path).rows()
