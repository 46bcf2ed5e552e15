"""One verb, stopped at one call of its store after the other; the next process is on another machine."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from harness.servers.proxies import Exchange, Fault, HttpProxy, LoseReply, TcpProxy

from .calls import AFTER, BEFORE, LOST, WRITES
from .campaign import Drivers
from .driver import Job
from .kinds import Kind
from .processes import Driver, Ended
from .verbs import Verb

LEASE = 5.0  # seconds, in place of the product's: a store may tell whole seconds
_ATTEMPTS = 3  # at a point that a renewal moved


@dataclass(frozen=True)
class CallPoint:
    """What goes wrong.

    Attributes:
        n: at which of the store's calls, from 1.
        call: that call.
        how: what.
    """

    n: int
    call: str
    how: str

    def __str__(self) -> str:
        return f"{self.how} call {self.n}, {self.call}"


class CallCampaign:
    """What goes wrong at the calls of one verb's store.

    Args:
        verb: what is done.
        drivers: who does it, as many points at a time.
        homes: for the home directories, one for each process.
        variant: how the product is broken; None: not at all.
    """

    def __init__(self, verb: Verb, drivers: list[Driver], homes: Path, variant: str | None = None) -> None:
        self._verb = verb
        self._drivers = Drivers(drivers)
        self._homes = homes
        self._variant = variant
        self._numbers = itertools.count(1)

    def points(self) -> list[CallPoint]:
        """Before and after each call, and the lost reply of each write."""
        with self._drivers.one() as driver:
            ended = driver.run(self._elsewhere(self._verb.job()))
        if ended.error is not None or not ended.store_calls:
            raise AssertionError(f"the verb fails by itself: {ended.error}")
        return [
            CallPoint(n, call, how)
            for n, call in enumerate(ended.store_calls, 1)
            for how in (BEFORE, AFTER, *([LOST] if call.partition(" ")[0] in WRITES else []))
        ]

    def violations(self, points: Iterable[CallPoint]) -> list[str]:
        """What is wrong after each of these; a point that is not reached is wrong as well."""
        with ThreadPoolExecutor(self._drivers.count) as pool:
            return [line for found in pool.map(self._at, points) for line in found]

    def violations_behind(self, kind: Kind) -> list[str]:
        """What is wrong after the reply to one write after the other was lost on its way: then the verb succeeds."""
        with self._drivers.one() as driver, contextlib.closing(kind.proxy()) as proxy:
            self._through(driver, kind, proxy)
            writes = [exchange.number for exchange in proxy.exchanges if exchange.write]
        with ThreadPoolExecutor(self._drivers.count) as pool:
            return [line for found in pool.map(lambda n: self._losing(kind, n), range(len(writes))) for line in found]

    def _at(self, point: CallPoint) -> list[str]:
        with self._drivers.one() as driver:
            for _ in range(_ATTEMPTS):
                job = self._elsewhere(self._verb.job())
                ended = driver.run(replace(job, point=(point.n, point.how)))
                if ended.killed or (point.how == LOST and ended.store_calls[point.n - 1 : point.n] == (point.call,)):
                    found = self._verb.judged(driver, job, ended, self._elsewhere(job))
                    return [f"{point}: {line}" for line in found]
        return [f"{point} was not reached"]

    def _losing(self, kind: Kind, nth: int) -> list[str]:
        """The reply to the nth write is lost by a proxy."""
        writes = itertools.count()

        def fault(exchange: Exchange) -> Fault | None:
            return LoseReply() if exchange.write and next(writes) == nth else None

        with self._drivers.one() as driver, contextlib.closing(kind.proxy()) as proxy:
            proxy.faults = fault
            job, ended = self._through(driver, kind, proxy)
            if next(writes) <= nth:
                return [f"there was no write {nth}"]
            found = [] if ended.error is None else [f"the verb failed: {ended.error}"]
            found += self._verb.judged(driver, job, ended, self._elsewhere(job))
            return [f"reply to write {nth} lost: {line}" for line in found]

    def _through(self, driver: Driver, kind: Kind, proxy: HttpProxy | TcpProxy) -> tuple[Job, Ended]:
        """The verb, done through a proxy; the job as it is without."""
        job = self._elsewhere(self._verb.job())
        return job, driver.run(replace(job, ledger=kind.through(job.ledger, proxy), lease=None, watches=False))

    def _elsewhere(self, job: Job) -> Job:
        """The same on a machine that nobody used before."""
        home = self._homes / f"home{next(self._numbers)}"
        home.mkdir()
        return replace(job, home=str(home), lease=LEASE, watches=True, variant=self._variant)
