"""The calls of a ledger's store, counted in the process that makes them, one of which it does not survive."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger import leases
from pulumi_openfunnel.ledger.leases import Leases
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.store import Conflict, Document, Store

BEFORE, AFTER, LOST = "before", "after", "lost"
"""The process dies before a call, or after its effect; or only the reply is lost."""
WRITES = ("put_new", "put_over", "remove")

R = TypeVar("R")


class Watch:
    """The calls of a process's main thread; renewals, whose moment nobody chooses, are another thread's.

    Args:
        point: the number of a call, from 1, and what happens there; None: nothing.

    Attributes:
        seen: each call, as ``method kind``.
    """

    def __init__(self, point: tuple[int, str] | None) -> None:
        self.seen: list[str] = []
        self._point = point

    def called(self, call: str, place: str, work: Callable[[], R]) -> R:
        """Make a call."""
        if threading.current_thread() is not threading.main_thread():
            return work()
        self.seen.append(call)
        here = self._point[1] if self._point is not None and self._point[0] == len(self.seen) else None
        if here == BEFORE:
            _die()
        try:
            result = work()
        except Conflict:
            self._done(here, place)
            raise
        self._done(here, place)
        return result

    @staticmethod
    def _done(here: str | None, place: str) -> None:
        """The store has done what it does."""
        if here == AFTER:
            _die()
        if here == LOST:
            raise LedgerUnusable(place, "is down", "Wait.", transient=True)


class Watched:
    """A store whose calls are counted.

    Args:
        store: does the work.
        watch: counts, and kills.
    """

    def __init__(self, store: Store, watch: Watch) -> None:
        self.place = store.place
        self._store = store
        self._watch = watch

    def get(self, name: str) -> Document | None:
        """See :class:`Store`, like all that follows."""
        return self._called("get", name, lambda: self._store.get(name))

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return self._called("get_many", names[0] if names else "", lambda: self._store.get_many(names))

    def put_new(self, name: str, body: bytes) -> str:
        return self._called("put_new", name, lambda: self._store.put_new(name, body))

    def put_over(self, name: str, body: bytes, version: str) -> str:
        return self._called("put_over", name, lambda: self._store.put_over(name, body, version))

    def remove(self, name: str) -> None:
        self._called("remove", name, lambda: self._store.remove(name))

    def names(self, prefix: str) -> list[str]:
        return self._called("names", prefix, lambda: self._store.names(prefix))

    def close(self) -> None:
        self._store.close()

    def _called(self, method: str, name: str, work: Callable[[], R]) -> R:
        return self._watch.called(f"{method} {name.partition('/')[0]}", self.place, work)


def watched(ledger: Ledger, watch: Watch) -> None:
    """Count the calls of a ledger that was just opened, those of its leases among them."""
    ledger.archive.store = Watched(ledger.archive.store, watch)
    if isinstance(ledger.owners, Leases):
        ledger.owners._archive.store = Watched(ledger.owners._archive.store, watch)


def shorten_leases(seconds: float) -> None:
    """Leases of this process last so long, and all that goes with them is as much shorter.

    A renewal is good enough for a request for longer than that, so that a busy machine makes no call more.
    """
    factor = seconds / leases.LEASE
    for name in ("LEASE", "LAPSE", "FIRST", "RENEWAL", "REPEAT", "LOOK"):
        setattr(leases, name, getattr(leases, name) * factor)
    leases.FRESH = 0.8 * leases.LAPSE


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
