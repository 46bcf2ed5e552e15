"""What a verb leaves when it is killed on its way, and what a second try must bring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pulumi_openfunnel.ledger.listing import Status
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.simulator import Entry, Existing

from .core import Kept, OpenFunnel
from .driver import Job
from .places import Places
from .processes import Driver, Ended

Held = tuple[str, Status]  # an end user's address, and what is known of a live key of its


@dataclass(frozen=True)
class Crash:
    """One kill, and what came of it.

    Attributes:
        ended: the verb that was killed.
        before: the create-user requests that the server saw by then.
        kept: what the ledger held then.
        again: the same verb, tried again by another process.
        after: the requests that the server saw by then.
        left: what the ledger held then.
        current: the key that the server knows the user by.
    """

    ended: Ended
    before: list[Entry]
    kept: list[Kept]
    again: Ended
    after: list[Entry]
    left: list[Kept]
    current: str | None


class Verb:
    """One verb against one server, with ledgers of one kind.

    Args:
        api: the server.
        places: where the ledgers lie.
        driver: does what has to be done before.
    """

    def __init__(self, api: OpenFunnel, places: Places, driver: Driver) -> None:
        self.api = api
        self.places = places
        self.prepare(driver)

    def prepare(self, driver: Driver) -> None:
        """What has to be there for all jobs."""

    def job(self) -> Job:
        """The verb that is about to be done, with a ledger of its own as it is then."""
        raise NotImplementedError

    def wrong(self, driver: Driver, job: Job, crash: Crash) -> Iterator[str]:
        """What is wrong with a crash of this verb; the driver can try more."""
        raise NotImplementedError

    def create(self, ledger: str) -> Job:
        """A create for a customer that was not there before."""
        customer = self.api.customer()
        who = f"alice@{customer.domain}"
        return Job("create", self.api.base_url, customer.email, customer.api_key, ledger, "alice@startup.com", who)

    def judged(self, driver: Driver, job: Job, ended: Ended, again: Job) -> list[str]:
        """Look, try again, and look again: what is wrong."""
        seals = [Seal(job.api_key.encode())]
        before = self.api.entries(job.user_id, ended.sent)
        found = self.places.kept(job.ledger, seals)
        second = driver.run(again)
        after = self.api.entries(job.user_id)
        left = self.places.kept(job.ledger, seals)
        crash = Crash(ended, before, found, second, after, left, self.api.key(job.internal_email))
        secrets = [job.api_key, *(entry.key for entry in after if entry.key), *(job.key or ())[1:]]
        shown = self.places.shown(job.ledger, secrets)
        wrong = [*self.wrong(driver, job, crash), *_shared(left), *(f"{name} shows a key" for name in shown)]
        self.places.remove(job.ledger)
        return wrong


class Create(Verb):
    """A user is asked for; there is no ledger yet."""

    def job(self) -> Job:
        return self.create(self.places.new())

    def wrong(self, driver: Driver, job: Job, crash: Crash) -> Iterator[str]:
        answers = [row.key for row in crash.kept if row.live]
        asked = [row for row in crash.kept if row.row.status is Status.ASKED]
        if crash.before and not answers and len(asked) != 1:
            yield "a request had gone out of which the ledger knew nothing"
        if crash.ended.looked and not answers:
            yield "an answer was looked at before it was kept"
        repeated = len(crash.after) - len(crash.before)
        if answers:
            yield from self._wrong_with_answer(crash, answers, repeated)
        else:
            yield from self._wrong_without_answer(crash, repeated)
        if crash.again.key is not None:
            if [crash.again.key] != [row.key for row in crash.left if row.row.status is Status.ISSUED]:
                yield "the ledger does not know the key that it let go"
            yield from not_anothers(driver, job, crash.again.key)

    def _wrong_with_answer(self, crash: Crash, answers: list[str | None], repeated: int) -> Iterator[str]:
        if answers != [crash.again.key]:
            yield f"the key that was kept was not handed back: {crash.again.error}"
        if repeated:
            yield "the user was asked for again although its key was kept"

    def _wrong_without_answer(self, crash: Crash, repeated: int) -> Iterator[str]:
        if repeated != 1:
            yield f"the second try made {repeated} requests: {crash.again.error}"
        ambiguous = any(entry.done for entry in crash.before)
        if ambiguous and self.api.existing is Existing.CONFLICT:
            name, message = crash.again.error or ("no error", "")
            if name != "UserExists" or "an earlier run, whose answer was lost, probably created it" not in message:
                yield f"the error does not say that an earlier run probably created the user: {name}: {message}"
        elif crash.again.key is None or crash.again.key != crash.current:
            yield f"the second try did not bring the user's key: {crash.again.error}"


class Keeping(Verb):
    """A key that a state holds already. No request is made, so all jobs share one customer."""

    in_ledger = True
    """Whether the ledger issued the key."""

    def prepare(self, driver: Driver) -> None:
        self._created = self.create(self.places.new())
        ended = driver.run(self._created)
        if ended.key is None:
            raise AssertionError(f"no user to begin with: {ended.error}")
        self.held = (str(ended.done[0]), ended.key)

    def job(self) -> Job:
        ledger = self.places.copy(self._created.ledger) if self.in_ledger else self.places.new()
        return replace(self._created, ledger=ledger, key=self.held, verb="delete")

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
        yield from not_anothers(driver, job, self.held[1])

    def possible(self, job: Job) -> Sequence[Held]:
        """What the key's row may tell after a kill: as before the verb, and last as after it."""
        return [(job.email, Status.ISSUED), (job.email, Status.RELEASED)]


class Delete(Keeping):
    """A user leaves its stack, and the ledger has its row."""


class DeleteUnknown(Keeping):
    """A user leaves its stack, and there is no ledger: only the state has its key."""

    in_ledger = False


class Update(Keeping):
    """A user moves to another address of its end user."""

    def job(self) -> Job:
        job = super().job()
        return replace(job, verb="update", email="alice@new-startup.com", moved_from=job.email)

    def possible(self, job: Job) -> Sequence[Held]:
        return [(str(job.moved_from), Status.ISSUED), (job.email, Status.ISSUED)]


class Adopt(Keeping):
    """The program brings the key of a user that the ledger does not know."""

    in_ledger = False

    def job(self) -> Job:
        return replace(super().job(), verb="adopt")

    def possible(self, job: Job) -> Sequence[Held]:
        return [(job.email, Status.ANSWERED), (job.email, Status.ISSUED)]


class Recall(Keeping):
    """A create of a user whose key the ledger has: nothing is asked for, and the row stays."""

    def job(self) -> Job:
        return replace(super().job(), verb="create")

    def possible(self, job: Job) -> Sequence[Held]:
        return [(job.email, Status.ISSUED)]


VERBS: dict[str, type[Verb]] = {
    "create": Create,
    "create from the ledger": Recall,
    "adopt": Adopt,
    "update": Update,
    "delete": Delete,
    "delete of an unknown user": DeleteUnknown,
}


def not_anothers(driver: Driver, job: Job, key: str) -> Iterator[str]:
    """What is wrong when another end user brings the same key: it is refused. Tried where the store's calls are watched."""
    if not job.watches:
        return
    bob = replace(
        job, verb="adopt", email="bob@bob.com", internal_email=f"bob@{job.domain}", key=(job.internal_email, key)
    )
    ended = driver.run(bob)
    if ended.error is None or ended.error[0] != "AnotherEndUser":
        yield f"another end user was given the key as well: {ended.error}"


def _shared(rows: list[Kept]) -> list[str]:
    """The end users that share a live key."""
    holders: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.live:
            holders[str(row.key)].add(row.row.identity.email)
    return [f"{sorted(emails)} have one key" for emails in holders.values() if len(emails) > 1]
