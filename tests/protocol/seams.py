"""The seams as a process sees them: each call is a step, and a process has a ledger of its own over them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence

from pulumi_openfunnel.ledger.documents import MOVED, Identity
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.store import Document

from .stepping import Process, take

Script = Callable[[Process], object]


class PlainSeal:
    """Seals nothing, so that a model can look into answers; opens for the same identity alone."""

    def __init__(self, key_id: str = "plain") -> None:
        self.key_id = key_id

    def seal(self, content: bytes, identity: bytes) -> bytes:
        return identity + b"|" + content

    def open(self, sealed: bytes, identity: bytes) -> bytes | None:
        bound, _, content = sealed.partition(b"|")
        return content if bound == identity else None


class SteppedStore:
    """The store as a process sees it: every call for users', answers' and keys' documents is a step."""

    place = "the ledger"

    def get(self, name: str) -> Document | None:
        found: tuple[bytes, str] | None = None if name == MOVED else take("get", name)
        return None if found is None else Document(found[0], found[1], 0.0)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return {name: Document(body, version, 0.0) for name, body, version in take("get_many", tuple(names))}

    def put_new(self, name: str, body: bytes) -> str:
        return str(take("put_new", name, body))

    def put_over(self, name: str, body: bytes, version: str) -> str:
        return str(take("put_over", name, body, version))

    def remove(self, name: str) -> None:
        take("remove", name)

    def names(self, prefix: str) -> list[str]:
        return list(take("names", prefix))

    def close(self) -> None: ...


class SteppedOwners:
    """Runs as a process sees them; one whose lease expired is over for ever, as the leases see to."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self.run: str | None = None

    def current(self) -> str:
        if self.run is None or not take("current", self.run):
            self.run = f"{self._process}.{next(self._numbers)}"
            take("current", self.run, "announced")
        return self.run

    def lives(self, run: str) -> bool:
        return bool(take("lives", run))

    def confirm(self, run: str) -> bool:
        return bool(take("confirm", run))

    def others(self) -> list[str]:
        return []

    def end(self) -> None:
        if self.run is not None:
            take("end", self.run)


class Memory:
    """What a process has in its memory: a ledger of its own, on the world's store."""

    def __init__(
        self, process: str, ledger: type[Ledger] = Ledger, owners: type[SteppedOwners] = SteppedOwners
    ) -> None:
        self._process = process
        self._made = 0
        self.owners = owners(process)
        self.ledger = ledger(SteppedStore(), self.owners, self._fresh, lambda: 0.0)

    def state(self) -> Hashable:
        return self.owners.run, frozenset(self.ledger._mine), self._made

    def _fresh(self) -> str:
        self._made += 1
        return f"{self._process}-{self._made}"


def hand(identity: Identity, key: str, *, in_state_alone: bool = False) -> None:
    """Within a script: hand a key over."""
    take("hand", key, identity.email, *(["in its state alone"] if in_state_alone else []))


def works(key: str) -> bool:
    """Within a script: whether the API accepts a key."""
    return bool(take("works", key))
