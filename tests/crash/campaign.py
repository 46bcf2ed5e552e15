"""One verb, killed at one system call after the other."""

from __future__ import annotations

import contextlib
import itertools
import queue
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from .core import OpenFunnel
from .driver import Job
from .places import Files
from .processes import Driver, Point
from .verbs import Create, Verb

_LEARNED = 3  # runs that tell a verb's calls
_ATTEMPTS = 8  # at a point that only an answer in two parts has
_PART = frozenset({"ioctl", "poll", "setsockopt", "recvfrom"})  # of an answer: each part takes one more
_VARYING = _PART | {"brk", "mmap"}  # so does each part of the heap
_TELLING = frozenset({"fsync", "fdatasync", "ftruncate", "sendto", "recvfrom", "write", "connect", "flock"})


class Drivers:
    """Drivers, each of which one thread uses at a time.

    Args:
        drivers: all of them.
    """

    def __init__(self, drivers: list[Driver]) -> None:
        self.count = len(drivers)
        self._free: queue.Queue[Driver] = queue.Queue()
        for driver in drivers:
            self._free.put(driver)

    @contextlib.contextmanager
    def one(self) -> Iterator[Driver]:
        """One that nobody else uses meanwhile."""
        driver = self._free.get()
        try:
            yield driver
        finally:
            self._free.put(driver)


class Campaign:
    """The crashes of one verb.

    Args:
        verb: what is done.
        drivers: who does it, as many points at a time.
        directory: for logs.
        variant: how the product is broken; None: not at all.
    """

    def __init__(self, verb: Verb, drivers: list[Driver], directory: Path, variant: str | None = None) -> None:
        self._verb = verb
        self._drivers = Drivers(drivers)
        self._directory = directory
        self._variant = variant
        self._numbers = itertools.count(1)

    def points(self) -> list[Point]:
        """Every system call of the verb, in order: the fewest of some runs, so that each is reached again."""
        runs = sorted((self._learned() for _ in range(_LEARNED)), key=len)
        differing = {point.name for run in runs for point in set(run) ^ set(runs[0])} - _VARYING
        if differing:
            raise AssertionError(f"the verb's system calls differ from run to run: {sorted(differing)}")
        return runs[0]

    def violations(self, points: Iterable[Point]) -> list[str]:
        """What is wrong after a kill at each of these points; a point that is not reached is wrong as well."""
        with ThreadPoolExecutor(self._drivers.count) as pool:
            return [line for found in pool.map(self._at, points) for line in found]

    def _learned(self) -> list[Point]:
        with self._drivers.one() as driver:
            ended = driver.trace(self._job(), self._log())
        if ended.error is not None or not ended.told:
            raise AssertionError(f"the verb fails without a kill: {ended.error}")
        return [point for point, _ in ended.calls]

    def _at(self, point: Point) -> list[str]:
        with self._drivers.one() as driver:
            for _ in range(_ATTEMPTS):
                job = self._job()
                ended = driver.trace(job, self._log(), point)
                if ended.killed and ended.calls[-1][0] == point:
                    return [f"killed at {point}: {line}" for line in self._verb.judged(driver, job, ended, job)]
        return [f"{point} was not reached, or the verb survived it"]

    def _job(self) -> Job:
        return replace(self._verb.job(), variant=self._variant)

    def _log(self) -> Path:
        return self._directory / f"{next(self._numbers):06}.log"


def spread(points: list[Point], step: int, *, writes: bool) -> list[Point]:
    """A part of the points, always the same.

    Args:
        points: all of them.
        step: every so-manieth of them is taken.
        writes: whether all writes to files are; whatever orders writes, or reaches the server, always is.
    """
    taken = _TELLING | {"pwrite64"} if writes else _TELLING
    return [point for number, point in enumerate(points) if point.name in taken or number % step == 0]


def two_at_once(api: OpenFunnel, drivers: list[Driver], directory: Path, variant: str | None) -> list[str]:
    """What is wrong when a second process wants a user while the server holds back the first one's answer."""
    job = replace(Create(api, Files(directory), drivers[0]).job(), variant=variant)
    drivers[0].start(job)
    api.entries(job.user_id, at_least=1)
    second = drivers[1].run(job)
    first = drivers[0].finish()
    requests = len(api.entries(job.user_id))
    wrong = [f"{requests} requests for one user"] if requests != 1 else []
    return wrong if first.key == second.key else [*wrong, "they got different keys"]
