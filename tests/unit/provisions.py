"""Provisions over a scripted OpenFunnel: who asks, what is answered, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_openfunnel.api.client import BALANCE
from pulumi_openfunnel.errors import OpenFunnelError
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Row
from pulumi_openfunnel.operation import SILENT, Operation, Say, line
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser
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


def lines_to(lines: list[str]) -> Say:
    """Keeps what is said, as the lines that a user would see."""
    return lambda who, text, detail=None: lines.append(line(who, text, detail))


@dataclass
class Console:
    """What an operation said."""

    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)

    @property
    def operation(self) -> Operation:
        return Operation(warn=lines_to(self.warnings), info=lines_to(self.infos), progress=lines_to(self.progress))


@dataclass
class Clock:
    """A monotonic clock that goes on only when somebody waits."""

    began: float = 1000.0
    waited: float = 0.0

    @property
    def now(self) -> float:
        return self.began + self.waited

    def wait(self, seconds: float) -> None:
        self.waited += seconds


@dataclass(frozen=True)
class Callers:
    """Makes the callers of one process, which share its connections."""

    connections: Connections = field(default_factory=Connections)

    def __call__(
        self,
        base_url: str,
        ledger: Path | None = None,
        timeout: float = 5.0,
        operation: Operation = SILENT,
        api_key: str | None = PROVISIONER_KEY,
    ) -> Caller:
        settings = Settings(ORCHESTRATOR, "orchestrator.com", base_url, api_key, timeout=timeout, ledger=ledger)
        return Caller(settings, self.connections, operation)


def with_settings(caller: Caller, **changes: Any) -> Caller:
    """The same caller with other settings."""
    return replace(caller, settings=replace(caller.settings, **changes))


def another_process(caller: Caller) -> None:
    """Forget what the caller's process knows, as if the next call came from another one, after this one's end."""
    caller.connections.close()


def created(key: str = USER_KEY, email: str = INTERNAL_EMAIL) -> bytes:
    return answer(200, {"id": 7, "email": email, "api_key": key})


def failure(caller: Caller, class_: type[OpenFunnelError], user: EndUser = ALICE) -> str:
    """What an error of this class tells: one line without a key."""
    with pytest.raises(class_) as caught:
        provision(caller, user)
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


def ledger_of(caller: Caller) -> Ledger:
    """The ledger that a caller's process has open."""
    assert caller.settings.ledger is not None
    return caller.connections.ledger(caller.settings.ledger)


def rows(caller: Caller) -> list[Row]:
    return ledger_of(caller).rows()
