"""A ledger in memory, and what its tests do with it; without a sleep, and without a disk."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.documents import Identity, User
from pulumi_openfunnel.ledger.listing import Row, listed
from pulumi_openfunnel.ledger.memory import Call, MemoryOwners, MemoryStore
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import Asked, Holds, Kept
from pulumi_openfunnel.ledger.upkeep import Outcome, reassign

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY

ALICE = Identity("https://api.openfunnel.dev", ORCHESTRATOR, INTERNAL_EMAIL, "alice@alice-startup.com")
BOB = replace(ALICE, internal_email="bob@orchestrator.com", email="bob@bob.com")
ALSO_ALICE = replace(ALICE, email="alice@another-startup.com")
SEAL = Seal(PROVISIONER_KEY.encode())
NEW_SEAL = Seal(bytes(range(32)))
OTHER_KEY = "of_alice_9876543210"


def body(key: str = USER_KEY, identity: Identity = ALICE) -> bytes:
    """An answer that brings a key."""
    return json.dumps({"id": 7, "email": identity.internal_email, "api_key": key}).encode()


@dataclass
class Machine:
    """One place for a ledger, and the processes that use it.

    Attributes:
        store: the place.
        living: the runs that live.
        calls: what the store was called for, effects only.
        fails: what is asked of each call before its effect, and after; it may raise.
        time: the processes' clock.
    """

    living: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    fails: Callable[[Call], object] = lambda _call: None
    time: float = 1000.0

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=lambda: self.time, hook=self._hook)
        self._ids = itertools.count(1)

    def process(self) -> Ledger:
        """A process with a ledger of its own."""
        return Ledger(self.store, MemoryOwners(self.living), lambda: f"id{next(self._ids):04}", lambda: self.time)

    def counted(self) -> list[str]:
        """The calls since this was asked last, as ``method kind``; looks at ``moved`` and at runs do not count."""
        names = [(call.method, call.names[0].partition("/")[0]) for call in self.calls if call.names]
        self.calls.clear()
        return [f"{method} {kind}" for method, kind in names if kind not in ("moved", "runs")]

    def user(self, identity: Identity = ALICE) -> User:
        """A user's document."""
        return self.process().user(identity.name)

    def rows(self) -> tuple[Row, ...]:
        """What the ledger holds."""
        listing = listed(self.process())
        assert listing.problems == ()
        return listing.rows

    def statuses(self) -> list[str]:
        """What is known of each attempt."""
        return [row.status.value for row in self.rows()]

    def _hook(self, call: Call) -> None:
        self.fails(call)
        if call.done:
            self.calls.append(call)


def down(methods: Sequence[str], kind: str = "", *, done: bool = False, times: int = 10**6) -> Callable[[Call], object]:
    """A store that fails at some calls, before or after their effect."""
    left = itertools.count(1)

    def fails(call: Call) -> None:
        if call.method in methods and call.done == done and call.names[0].startswith(kind) and next(left) <= times:
            raise LedgerUnusable("memory", "is down", "Wait.", transient=True)

    return fails


def asked(ledger: Ledger, identity: Identity = ALICE) -> Asked:
    """An attempt that is open."""
    turn = ledger.begin(identity)
    assert isinstance(turn, Asked)
    return turn


def answered(ledger: Ledger, identity: Identity = ALICE, key: str = USER_KEY) -> Asked:
    """An attempt whose answer is kept, and not looked at."""
    mine = asked(ledger, identity)
    ledger.answered(mine, body(key, identity), SEAL)
    ledger.let_go(mine)
    return mine


def issued(ledger: Ledger, identity: Identity = ALICE, key: str = USER_KEY) -> Asked:
    """An attempt whose key is its user's."""
    mine = answered(ledger, identity, key)
    assert ledger.claim(mine, key) is None
    return mine


def held(ledger: Ledger, identity: Identity = ALICE) -> list[Kept]:
    """The answers that a create finds."""
    turn = ledger.begin(identity)
    assert isinstance(turn, Holds)
    return list(turn.kept)


def key_of(kept: Kept, seal: Seal = SEAL) -> str:
    """The key that an answer brings."""
    opened = seal.open(kept.answer.sealed, kept.identity.bound)
    assert opened is not None
    return str(json.loads(opened)["api_key"])


def reassigned(ledger: Ledger, old: str, new: str, seal: Seal, at_hand: Sequence[Seal]) -> dict[str, Outcome]:
    """Reassign every user of an address, as ``ledger reassign`` does; what came of each, by internal email."""
    ledger.begun()
    users = [user for names in ledger.archive.chunks("users/") for user in ledger.users(names).values()]
    return {
        user.internal_email: reassign(ledger, user, new, seal, at_hand)
        for user in users
        if user.binds and user.email == old
    }
