"""One verb, killed at one system call after the other; what may be found afterwards, and what a second try must bring."""

from __future__ import annotations

import contextlib
import itertools
import queue
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pulumi_openfunnel.ledger.rows import Status

from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.simulator import Entry, Existing

from .core import Kept, OpenFunnel, in_the_clear, kept
from .driver import Job
from .processes import Driver, Ended, Point

_LEARNED = 3  # runs that tell a verb's calls
_ATTEMPTS = 8  # at a point that only an answer in two parts has
_PART = frozenset({"ioctl", "poll", "setsockopt", "recvfrom"})  # of an answer: each part takes one more
_VARYING = _PART | {"brk", "mmap"}  # so does each part of the heap
_TELLING = frozenset({"fsync", "fdatasync", "ftruncate", "sendto", "recvfrom", "write", "connect", "flock"})


@dataclass(frozen=True)
class Crash:
    """One kill, and what came of it.

    Attributes:
        ended: the verb that was killed.
        before: the create-user requests that the server saw by then.
        kept: what was on the disk then.
        again: the same verb, tried again by another process.
        after: the requests that the server saw by then.
        left: what was on the disk then.
        current: the key that the server knows the user by.
    """

    ended: Ended
    before: list[Entry]
    kept: list[Kept]
    again: Ended
    after: list[Entry]
    left: list[Kept]
    current: str | None


class Campaign:
    """The crashes of one verb against one server.

    Args:
        api: the server.
        drivers: who does the work, as many points at a time.
        directory: for everything on the disk.
        variant: how the product is broken; None: not at all.
    """

    def __init__(self, api: OpenFunnel, drivers: list[Driver], directory: Path, variant: str | None = None) -> None:
        self.api = api
        self._drivers: queue.Queue[Driver] = queue.Queue()
        for driver in drivers:
            self._drivers.put(driver)
        self._directory = directory
        self._variant = variant
        self._numbers = itertools.count(1)

    def job(self, place: Path) -> Job:
        """A verb that is about to be done, and the disk as it is then."""
        raise NotImplementedError

    def wrong(self, driver: Driver, job: Job, crash: Crash) -> Iterator[str]:
        """What is wrong with a crash of this verb; the driver can try more."""
        raise NotImplementedError

    def points(self) -> list[Point]:
        """Every system call of the verb, in order: the fewest of some runs, so that each is reached again."""
        runs = sorted((self._learned() for _ in range(_LEARNED)), key=len)
        differing = {point.name for run in runs for point in set(run) ^ set(runs[0])} - _VARYING
        if differing:
            raise AssertionError(f"the verb's system calls differ from run to run: {sorted(differing)}")
        return runs[0]

    def violations(self, points: Iterable[Point]) -> list[str]:
        """What is wrong after a kill at each of these points; a point that is not reached is wrong as well."""
        with ThreadPoolExecutor(self._drivers.qsize()) as pool:
            return [line for found in pool.map(self._at, points) for line in found]

    def place(self) -> Path:
        """A new place on the disk, its name as long as all others: so the calls stay the same."""
        return self._directory / f"{next(self._numbers):06}"

    @contextlib.contextmanager
    def driver(self) -> Iterator[Driver]:
        """One that nobody else uses meanwhile."""
        driver = self._drivers.get()
        try:
            yield driver
        finally:
            self._drivers.put(driver)

    def create(self, place: Path) -> Job:
        """A create for a customer that was not there before."""
        customer = self.api.customer()
        who, ledger = f"alice@{customer.domain}", str(place / "ledger.db")
        return Job("create", self.api.base_url, customer.email, customer.api_key, ledger, "alice@startup.com", who)

    def _learned(self) -> list[Point]:
        place = self.place()
        with self.driver() as driver:
            ended = driver.trace(self.broken(self.job(place)), place.with_suffix(".log"))
        if ended.error is not None or not ended.told:
            raise AssertionError(f"the verb fails without a kill: {ended.error}")
        return [point for point, _ in ended.calls]

    def _at(self, point: Point) -> list[str]:
        with self.driver() as driver:
            for _ in range(_ATTEMPTS):
                place = self.place()
                job = self.job(place)
                ended = driver.trace(self.broken(job), place.with_suffix(".log"), point)
                if ended.killed and ended.calls[-1][0] == point:
                    return [f"killed at {point}: {line}" for line in self._judged(driver, job, ended, place)]
        return [f"{point} was not reached, or the verb survived it"]

    def broken(self, job: Job) -> Job:
        """The same, for the product as this campaign breaks it."""
        return replace(job, variant=self._variant)

    def _judged(self, driver: Driver, job: Job, ended: Ended, place: Path) -> list[str]:
        """Look, try again, and look again."""
        ledger, seals = Path(job.ledger), [Seal(job.api_key.encode())]
        killed, left = place.with_suffix(".killed"), place.with_suffix(".left")
        before = self.api.entries(job.user_id, ended.sent)
        found = kept(ledger, killed, seals)
        again = driver.run(self.broken(job))
        after = self.api.entries(job.user_id)
        current = self.api.key(job.internal_email)
        crash = Crash(ended, before, found, again, after, kept(ledger, left, seals), current)
        secrets = [job.api_key, *(entry.key for entry in after if entry.key), *(job.key or ())[1:]]
        shown = {name for where in (place, killed, left) for name in in_the_clear(where, secrets)}
        wrong = [*self.wrong(driver, job, crash), *(f"{name} shows a key" for name in shown)]
        for used in (place, killed, left):
            shutil.rmtree(used, ignore_errors=True)
        return wrong


class Create(Campaign):
    """A user is asked for; there is no ledger yet."""

    def job(self, place: Path) -> Job:
        return self.create(place)

    def wrong(self, driver: Driver, job: Job, crash: Crash) -> Iterator[str]:
        del driver, job
        answers = [row.key for row in crash.kept if row.live]
        asked = [row for row in crash.kept if row.row.status is Status.ASKED and row.row.unanswered == 1]
        if crash.before and not answers and not asked:
            yield "a request had gone out of which the ledger knew nothing"
        if crash.ended.looked and not answers:
            yield "an answer was looked at before it was kept"
        repeated = len(crash.after) - len(crash.before)
        if answers:
            yield from self._wrong_with_answer(crash, answers, repeated)
        else:
            yield from self._wrong_without_answer(crash, repeated)
        if crash.again.key is not None and [crash.again.key] != _issued(crash.left):
            yield "the ledger does not know the key that it let go"

    def _wrong_with_answer(self, crash: Crash, answers: list[str | None], repeated: int) -> Iterator[str]:
        if answers != [crash.again.key]:
            yield f"the key that was kept was not handed back: {crash.again.error}"
        if repeated:
            yield "the user was asked for again although its key was kept"

    def _wrong_without_answer(self, crash: Crash, repeated: int) -> Iterator[str]:
        if repeated != 1:
            yield f"the second try made {repeated} requests"
        ambiguous = any(entry.done for entry in crash.before)
        if ambiguous and self.api.existing is Existing.CONFLICT:
            name, message = crash.again.error or ("no error", "")
            if name != "UserExists" or "an earlier run, whose answer was lost, probably created it" not in message:
                yield f"the error does not say that an earlier run probably created the user: {name}: {message}"
        elif crash.again.key is None or crash.again.key != crash.current:
            yield f"the second try did not bring the user's key: {crash.again.error}"


class Held(Campaign):
    """A key that a state holds already. No request is made, so the points share one customer."""

    in_ledger = True
    """Whether the ledger issued the key."""

    def __init__(self, api: OpenFunnel, drivers: list[Driver], directory: Path, variant: str | None = None) -> None:
        super().__init__(api, drivers, directory, variant)
        self._start = self.place()
        self._created = self.create(self._start)
        with self.driver() as driver:
            ended = driver.run(self._created)
        if ended.key is None:
            raise AssertionError(f"no user to begin with: {ended.error}")
        self.held = (str(ended.done[0]), ended.key)

    def job(self, place: Path) -> Job:
        if self.in_ledger:
            shutil.copytree(self._start, place)
        return replace(self._created, ledger=str(place / "ledger.db"), key=self.held, verb="delete")

    def wrong(self, driver: Driver, job: Job, crash: Crash) -> Iterator[str]:
        held = [(row.row.identity.email, row.row.status) for row in crash.kept if row.live and row.key == self.held[1]]
        if len(held) != 1 if self.in_ledger else len(held) > 1:
            yield f"the key was in {len(held)} rows of the ledger"
        yield from (f"the key was {was}" for was in held if was not in self.possible(job))
        if crash.again.error is not None or crash.again.done is False:
            yield f"the second try did not complete: {crash.again.error}"
        left = [(row.row.identity.email, row.row.status) for row in crash.left if row.live]
        if left != [self.possible(job)[-1]]:
            yield f"the second try left {left}"
        back = driver.run(replace(job, verb="create"))
        if back.key != self.held[1] or len(self.api.entries(job.user_id)) != 1:
            yield f"the key did not come back without a request: {back.error}"

    def possible(self, job: Job) -> list[tuple[str, Status]]:
        """What the key's row may tell after a kill: as before the verb, and last as after it."""
        return [(job.email, Status.ISSUED), (job.email, Status.RELEASED)]


class Delete(Held):
    """A user leaves its stack, and the ledger has its row."""


class DeleteUnknown(Held):
    """A user leaves its stack, and there is no ledger: only the state has its key."""

    in_ledger = False


class Update(Held):
    """A user moves to another address of its end user."""

    def job(self, place: Path) -> Job:
        job = super().job(place)
        return replace(job, verb="update", email="alice@new-startup.com", moved_from=job.email)

    def possible(self, job: Job) -> list[tuple[str, Status]]:
        return [(str(job.moved_from), Status.ISSUED), (job.email, Status.ISSUED)]


class Recall(Held):
    """A create of a user whose key the ledger has: nothing is asked for, and the row stays."""

    def job(self, place: Path) -> Job:
        return replace(super().job(place), verb="create")

    def possible(self, job: Job) -> list[tuple[str, Status]]:
        return [(job.email, Status.ISSUED)]


CAMPAIGNS: dict[str, type[Campaign]] = {
    "create": Create,
    "create from the ledger": Recall,
    "update": Update,
    "delete": Delete,
    "delete of an unknown user": DeleteUnknown,
}


def spread(points: list[Point], step: int, *, writes: bool) -> list[Point]:
    """A part of the points, always the same.

    Args:
        points: all of them.
        step: every so-manieth of them is taken.
        writes: whether all writes to files are; whatever orders writes, or reaches the server, always is.
    """
    taken = _TELLING | {"pwrite64"} if writes else _TELLING
    return [point for number, point in enumerate(points) if point.name in taken or number % step == 0]


def _issued(rows: list[Kept]) -> list[str | None]:
    return [row.key for row in rows if row.row.status is Status.ISSUED]


def two_at_once(campaign: Create, drivers: list[Driver]) -> list[str]:
    """What is wrong when a second process wants a user while the server holds back the first one's answer."""
    job = campaign.job(campaign.place())
    drivers[0].start(job)
    campaign.api.entries(job.user_id, at_least=1)
    second = drivers[1].run(campaign.broken(job))
    first = drivers[0].finish()
    requests = len(campaign.api.entries(job.user_id))
    wrong = [f"{requests} requests for one user"] if requests != 1 else []
    return wrong if first.key == second.key else [*wrong, "they got different keys"]
