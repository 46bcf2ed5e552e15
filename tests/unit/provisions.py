"""Provisions over a scripted OpenFunnel: who asks, what is answered, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_openfunnel.api.client import BALANCE
from pulumi_openfunnel.errors import OpenFunnelError
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.listing import Row, listed
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.operation import SILENT, Operation, Say, line
from pulumi_openfunnel.places import FilePlace, Place
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.provisioning.session import Session
from pulumi_openfunnel.provisioning.users import get_key
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
        ledger: Path | Place | None = None,
        timeout: float = 5.0,
        operation: Operation = SILENT,
        api_key: str | None = PROVISIONER_KEY,
    ) -> Caller:
        place = FilePlace(ledger) if isinstance(ledger, Path) else ledger
        settings = Settings(ORCHESTRATOR, "orchestrator.com", base_url, api_key, timeout=timeout, ledger=place)
        return Caller(settings, self.connections, operation)


def with_settings(caller: Caller, **changes: Any) -> Caller:
    """The same caller with other settings."""
    return replace(caller, settings=replace(caller.settings, **changes))


def another_process(caller: Caller) -> None:
    """Forget what the caller's process knows, as if the next call came from another one, after this one's end."""
    caller.connections.close()


def provisioned(caller: Caller, user: EndUser = ALICE) -> ProvisionedKey:
    """The user's key, when nobody else is at the user."""
    key = provision(caller, user)
    assert isinstance(key, ProvisionedKey)
    return key


def got(caller: Caller, user: EndUser = ALICE) -> ProvisionedKey:
    """The user's key, as the verbs get it: whoever else is at the user is waited for."""
    return get_key(Session(lambda _setting: None, {}, caller.operation), caller, user, None)


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


IN_MEMORY = FilePlace(Path("/in/memory"))


def over(caller: Caller, ledger: Ledger, place: Place = IN_MEMORY) -> Caller:
    """The same caller, whose process has a ledger open that stands for a place."""
    caller.connections._ledgers[place] = ledger
    return with_settings(caller, ledger=place)


def rows(caller: Caller) -> list[Row]:
    """What the ledger holds: each user's attempts, oldest first."""
    listing = listed(ledger_of(caller))
    assert listing.problems == ()
    return sorted(listing.rows, key=lambda row: row.attempt.created)


def told(caller: Caller) -> list[tuple[str, str | None]]:
    """What is known of each attempt, and its problem."""
    return [(row.status.value, row.attempt.problem) for row in rows(caller)]


def identity(caller: Caller, user: EndUser = ALICE) -> Identity:
    """What the ledger knows a user by."""
    return Identity(caller.settings.base_url, ORCHESTRATOR, user.internal_email, user.email)
