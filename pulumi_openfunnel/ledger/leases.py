"""Which runs live, where no lock dies with a process: each renews a document of its own in the store.

Others tell by the store's clock whether a lease expired. A run itself gives up long before: by the clock of its machine
that went on furthest, since before its last renewal was sent. Once it did, it is over for ever, whatever it does.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import TypeAlias

from ..errors import LedgerUnusable
from .archive import Archive, Seen
from .documents import Run
from .store import Conflict, Store

LEASE = 60.0  # seconds without a renewal, by the store's clock, after which a run is dead to others
LAPSE = 36.0  # seconds after which it is over for itself
FIRST = 5.0  # seconds until the first renewal, so that short runs sweep, too
RENEWAL = 20.0  # seconds between two renewals
REPEAT = 2.0  # seconds after one that failed
FRESH = 5.0  # seconds for which a renewal is enough to send a request
LOOK = 3.0  # seconds for which a look at another run is enough
DAY = 86400.0  # seconds after which nobody asks for a dead run any more

Clocks: TypeAlias = "Callable[[], tuple[float, ...]]"
"""Reads all clocks of this machine."""

Timer: TypeAlias = "Callable[[Callable[[], float], float], Callable[[], None]]"
"""Calls a function after so many seconds, then after as many as it returns, until what it returned itself is called."""

_JOBS = ("CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "GITHUB_RUN_ID", "BUILD_BUILDURI")


def clocks() -> tuple[float, ...]:
    """The monotonic clock, the one that goes on while the machine sleeps, where there is one, and the wall's."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    slept = (time.clock_gettime(boot),) if boot is not None else ()
    return (time.monotonic(), *slept, time.time())


def thread(work: Callable[[], float], first: float) -> Callable[[], None]:
    """A timer in a thread that ends with the process."""
    ended = threading.Event()

    def run() -> None:
        pause = first
        while not ended.wait(pause):
            pause = work()

    threading.Thread(target=run, name="openfunnel-lease", daemon=True).start()
    return ended.set


class Leases:
    """The runs of one shared store. Safe to share between threads.

    Args:
        store: where the documents lie.
        fresh: makes ids that nobody else makes.
        now: reads the clocks.
        timer: calls for renewals.
    """

    def __init__(
        self,
        store: Store,
        fresh: Callable[[], str] = lambda: uuid.uuid4().hex,
        now: Clocks = clocks,
        timer: Timer = thread,
    ) -> None:
        self._archive = Archive(store, fresh)
        self._now = now
        self._timer = timer
        self._announcing = threading.Lock()
        self._renewing = threading.Lock()
        self._looking = threading.Lock()
        self._own: Seen[Run] | None = None  # this process's run, as it was written last
        self._renewed: tuple[float, ...] = ()  # the clocks, before that was sent
        self._over: set[str] = set()  # runs that are dead, those of this process among them
        self._seen: dict[str, tuple[float, ...]] = {}  # when others were seen to live
        self._conditions_hold = False
        self._swept = False
        self._stop: Callable[[], None] = lambda: None

    def current(self) -> str:
        """See :class:`~.owners.Owners`, like all that follows."""
        run = self._live()
        if run is not None:
            return run
        with self._announcing:
            return self._live() or self._announce()

    def confirm(self, run: str) -> bool:
        if self._live() == run and self._age(self._renewed) > FRESH:
            with self._renewing:
                if self._age(self._renewed) > FRESH:
                    self._renew()
        return self._live() == run

    def lives(self, run: str) -> bool:
        if run == self._live():
            return True
        with self._looking:
            if run in self._over:
                return False
            if run in self._seen and self._age(self._seen[run]) <= LOOK:
                return True
            looked = self._now()
            if self._is_dead(run):
                self._over.add(run)
                return False
            self._seen[run] = looked
            return True

    def others(self) -> list[str]:
        runs = [name.removeprefix("runs/") for name in self._archive.store.names("runs/")]
        return [run for run in runs if run != self._live() and self.lives(run)]

    def end(self) -> None:
        self._stop()
        with self._renewing:
            own, self._own = self._own, None
        if own is not None:
            self._over.add(_run(own))
            self._archive.remove(own.document.name)

    def tick(self) -> float:
        """Renew the lease, as the timer asks; seconds until the next time."""
        try:
            with self._renewing:
                self._renew()
            if not self._swept:
                self._sweep()
        except LedgerUnusable:
            return REPEAT
        return RENEWAL

    # This process's run

    def _live(self) -> str | None:
        """This process's run, unless it lapsed: then it is over, even if a clock that was set forward is set back."""
        own = self._own
        if own is None or _run(own) in self._over:
            return None
        if self._age(self._renewed) > LAPSE:
            self._over.add(_run(own))
            return None
        return _run(own)

    def _announce(self) -> str:
        self._stop()
        if self._own is not None:
            self._over.add(_run(self._own))
            with contextlib.suppress(LedgerUnusable):  # it expires
                self._archive.remove(self._own.document.name)
        name = f"runs/{self._archive.fresh()}"
        document = Run(name=name, host=socket.gethostname(), process=str(os.getpid()), job=_job())
        before = self._now()
        own = self._archive.write(document, None)
        if not self._conditions_hold:
            before = self._now()
            own = self._tried(own)
            self._conditions_hold = True
        self._own, self._renewed = own, before
        self._stop = self._timer(self.tick, FIRST)
        return self._live() or _run(own)

    def _renew(self) -> None:
        """Write the run's document again, unless it lapsed: a process that wakes must not renew first.

        It is over as well when the renewal took too long, or somebody removed the document.
        """
        own = self._own
        if own is None or self._live() is None:
            return
        before = self._now()
        try:
            renewed = self._archive.write(own.document, own.version)
        except Conflict:
            self._over.add(_run(own))
            return
        if self._live() is not None:
            self._own, self._renewed = renewed, before

    def _tried(self, own: Seen[Run]) -> Seen[Run]:
        """The run's document, written again, with two writes beside that the store must refuse.

        Raises:
            LedgerUnusable: when it does not.
        """
        if self._refuses(own.document, None):
            again = self._archive.write(own.document, own.version)
            if self._refuses(own.document, own.version):
                return again
        self._archive.remove(own.document.name)
        raise LedgerUnusable(
            self._archive.place,
            "does not keep to conditions: it writes a document over one that it was told to leave alone",
            "Two runs would ask for the same user. Use a store that supports conditional writes.",
        )

    def _refuses(self, document: Run, over: str | None) -> bool:
        try:
            self._archive.write(document, over)
        except Conflict:
            return True
        return False

    # Others' runs

    def _is_dead(self, run: str) -> bool:
        """Whether a run's document is gone, or so much older than one's own that its lease expired."""
        name = f"runs/{run}"
        if self._archive.read(Run, name) is None:
            return True
        now = self._store_clock()
        found = self._archive.read(Run, name)
        return found is None or (now is not None and now - found.written > LEASE)

    def _store_clock(self) -> float | None:
        """The store's time: of one's own document, written right now."""
        self.current()
        with self._renewing:
            self._renew()
            own = self._own
        found = self._archive.read(Run, own.document.name) if own is not None else None
        return found.written if found is not None else None

    def _sweep(self) -> None:
        """Remove what dead runs left long ago."""
        now = self._store_clock()
        runs = self._archive.read_many(Run, self._archive.store.names("runs/"))
        for name, found in runs.items():
            if now is not None and now - found.written > DAY:
                self._archive.remove(name)
        self._swept = True

    def _age(self, since: tuple[float, ...]) -> float:
        """The seconds that went by, by the clock that went on furthest."""
        return max(after - before for before, after in zip(since, self._now(), strict=True))


def _run(own: Seen[Run]) -> str:
    return own.document.name.removeprefix("runs/")


def _job() -> str:
    return next((value for name in _JOBS if (value := os.environ.get(name))), "")
