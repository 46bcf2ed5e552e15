"""A ledger's documents in memory, and its runs: for tests, which let calls fail, lose their replies, or wait."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .store import Conflict, Document

R = TypeVar("R")


@dataclass(frozen=True)
class Call:
    """One call of a store.

    Attributes:
        method: the store's method.
        names: the documents' names, or the prefix.
        done: whether its effect is there, so that only the reply can still be lost.
    """

    method: str
    names: tuple[str, ...]
    done: bool


class MemoryStore:
    """Documents in memory. Safe to share between threads.

    Args:
        place: the place as messages name it.
        clock: the store's own clock.
        hook: hears of each call, before and after its effect; what it raises is what the caller gets.

    Attributes:
        place: the same.
        documents: what lies there, by name.
    """

    def __init__(
        self,
        place: str = "memory",
        clock: Callable[[], float] = time.time,
        hook: Callable[[Call], object] = lambda _call: None,
    ) -> None:
        self.place = place
        self.documents: dict[str, Document] = {}
        self._clock = clock
        self._hook = hook
        self._versions = itertools.count(1)
        self._changing = threading.Lock()

    def get(self, name: str) -> Document | None:
        """See :class:`~.store.Store`, like all that follows."""
        return self._called("get", (name,), lambda: self.documents.get(name))

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return self._called(
            "get_many", tuple(names), lambda: {name: self.documents[name] for name in names if name in self.documents}
        )

    def put_new(self, name: str, body: bytes) -> str:
        return self._called("put_new", (name,), lambda: self._put(name, body, None))

    def put_over(self, name: str, body: bytes, version: str) -> str:
        return self._called("put_over", (name,), lambda: self._put(name, body, version))

    def remove(self, name: str) -> None:
        self._called("remove", (name,), lambda: self.documents.pop(name, None))

    def names(self, prefix: str) -> list[str]:
        return self._called("names", (prefix,), lambda: [name for name in self.documents if name.startswith(prefix)])

    def close(self) -> None:
        """Nothing is open."""

    def _put(self, name: str, body: bytes, over: str | None) -> str:
        found = self.documents.get(name)
        if (found.version if found is not None else None) != over:
            raise Conflict(name)
        version = str(next(self._versions))
        self.documents[name] = Document(body, version, self._clock())
        return version

    def _called(self, method: str, names: tuple[str, ...], work: Callable[[], R]) -> R:
        self._hook(Call(method, names, done=False))
        with self._changing:
            result = work()
        self._hook(Call(method, names, done=True))
        return result


class MemoryOwners:
    """Runs in memory, for tests: one that is not ended lives until it is taken from ``living``.

    Args:
        living: the runs that live, shared by those that are to know of each other.
    """

    def __init__(self, living: set[str] | None = None) -> None:
        self.living = living if living is not None else set()
        self._run: str | None = None

    def current(self) -> str:
        """See :class:`~.owners.Owners`, like all that follows."""
        if self._run not in self.living or self._run is None:
            self._run = uuid.uuid4().hex
            self.living.add(self._run)
        return self._run

    def lives(self, run: str) -> bool:
        return run in self.living

    def confirm(self, run: str) -> bool:
        return run == self._run and run in self.living

    def others(self) -> list[str]:
        return sorted(self.living - {self._run or ""})

    def end(self) -> None:
        self.living.discard(self._run or "")
        self._run = None
