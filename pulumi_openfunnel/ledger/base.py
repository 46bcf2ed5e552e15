"""What the ledger's rules stand on: its documents, its runs, and what this process is at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..errors import LedgerUnusable
from . import changes, claims
from .archive import Archive
from .documents import MOVED, Answer, Attempt, Claim, Identity, Moved, State, User, answer_name, fingerprint, key_name
from .owners import Owners
from .sealing import Seal
from .store import Store, fresh_ids
from .turns import Asked, Busy, Entry, Taken

Again = Callable[[float], bool]
"""Is asked before a write is repeated that is not to be given up: it waits so many seconds; False to give up."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds before a write is repeated

T = TypeVar("T")


def give_up(_seconds: float) -> bool:
    """Repeat nothing."""
    return False


class Base:
    """One ledger: its documents and the runs that use it.

    Args:
        store: where the documents lie.
        owners: who of those that asked still lives.
        fresh: makes ids that nobody else makes; at random without it.
        clock: tells the time, in seconds since the epoch.

    Attributes:
        archive: the documents.
        owners: the runs.
        clock: the same.
    """

    def __init__(
        self,
        store: Store,
        owners: Owners,
        fresh: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.archive = Archive(store, fresh or fresh_ids())
        self.owners = owners
        self.clock = clock
        self._mine: set[str] = set()  # the attempts that a thread of this process is at
        self._begun: set[str] = set()  # the runs of this process that found the ledger here
        self._moved: Moved | None = None  # where it is instead

    @property
    def place(self) -> str:
        """The ledger, as messages name it; never with a password."""
        return self.archive.place

    def close(self) -> None:
        """End this process's run, and let go of the store."""
        try:
            self.owners.end()
        finally:
            self.archive.store.close()

    def begun(self) -> str:
        """The run that this process writes under.

        It is announced before it looks whether the ledger was moved, and a move looks for runs once it is announced:
        so one of the two sees the other.
        """
        if self._moved is not None:
            raise moved_away(self.place, self._moved)
        run = self.owners.current()
        if run not in self._begun:
            try:
                self.check_place()
            except LedgerUnusable:
                with contextlib.suppress(LedgerUnusable):
                    self.owners.end()  # nobody is to wait for it
                raise
            self._begun.add(run)
        return run

    def check_place(self) -> None:
        """Raise LedgerUnusable when the ledger was moved to another place."""
        seen = self.archive.read(Moved, MOVED)
        if seen is not None:
            self._moved = seen.document
            raise moved_away(self.place, self._moved)

    def is_busy(self, attempt: Attempt) -> bool:
        """Whether somebody who lives is at an open attempt."""
        if attempt.id in self._mine:
            return True
        return attempt.state is State.OPEN and not self._is_own(attempt.run) and self.owners.lives(attempt.run)

    def is_left(self, attempt: Attempt) -> bool:
        """Whether an attempt was this process's, and no thread of it is at it any more."""
        return self._is_own(attempt.run) and attempt.id not in self._mine

    def at_it(self, user: User) -> Busy | None:
        """Who is asking for a user, and has no answer yet."""
        opened = [one for one in user.attempts if one.state is State.OPEN]
        answers = self.archive.read_many(Answer, [answer_name(one.answer) for one in opened]) if opened else {}
        waiting = [
            one for one in opened if not (seen := answers.get(answer_name(one.answer))) or not seen.document.whole
        ]
        busy = next(filter(self.is_busy, waiting), None)
        return Busy(user.name, busy) if busy is not None else None

    def answers(self, user: User) -> dict[str, Answer]:
        """The answers of a user's usable attempts, by name."""
        found = self.archive.read_many(Answer, [answer_name(one.answer) for one in user.usable])
        return {name: seen.document for name, seen in found.items()}

    def user(self, name: str) -> User:
        """A user's document; a blank one where there is none."""
        seen = self.archive.read(User, name)
        return seen.document if seen is not None else User(name=name)

    def users(self, names: Iterable[str]) -> dict[str, User]:
        """Users' documents, by name."""
        return {name: seen.document for name, seen in self.archive.read_many(User, names).items()}

    def new_attempt(self, identity: Identity, state: State, run: str) -> Attempt:
        """An attempt that is in no document yet."""
        id, now = self.archive.fresh(), self.clock()
        return Attempt(
            id=id,
            run=run,
            user_id=identity.user_id,
            email=identity.email,
            state=state,
            created=now,
            changed=now,
            answer=id,
        )

    def new_answer(self, id: str, identity: Identity, body: bytes, seal: Seal, *, whole: bool = True) -> Answer:
        """An answer, sealed for one identity."""
        sealed = seal.seal(body, identity.bound)
        return Answer(name=answer_name(id), key_id=seal.key_id, sealed=sealed, whole=whole, kept=self.clock())

    def lapsed(self, asked: Asked) -> bool:
        """After an answer was kept: whether the run lapsed on the way.

        Then another one may be at the user, or have a newer key: begin again.
        """
        return self.owners.current() != asked.run

    def take_key(
        self, identity: Identity, attempt: str, api_key: str, emails: Iterable[str], *, known: bool
    ) -> Taken | None:
        """Write the claim of a key, whose attempt the user's document lists already.

        One that is found as one's own is written anew, so that nobody takes it who saw it stale.

        Args:
            identity: whose key it becomes.
            attempt: the attempt that brought it.
            api_key: the key.
            emails: the end user's addresses: the one now, and the one before a move.
            known: whether a claim is expected, so that it is read first.
        """
        name = key_name(api_key)
        blank = Claim(name=name, fingerprint=fingerprint(api_key), holders=())
        seen = self.archive.read(Claim, name) if known else None
        while True:
            claim = seen.document if seen is not None else blank
            holders = self.users(holder for holder, _ in claim.holders if holder != identity.name)
            decided = claims.claimed(claim, identity, attempt, tuple(emails), holders)
            if isinstance(decided, Taken):
                return decided
            done, seen = self.archive.offer(decided, seen.version if seen is not None else None)
            if done:
                return None

    def anothers(self, claim: Claim, identity: Identity, emails: Iterable[str]) -> Taken | None:
        """Who else has a key, of those that its claim names."""
        holders = self.users(holder for holder, _ in claim.holders if holder != identity.name)
        decided = claims.claimed(claim, identity, "", tuple(emails), holders)
        return decided if isinstance(decided, Taken) else None

    def settle(self, entry: Entry, state: State, problem: str | None, again: Again = give_up) -> None:
        """Say what became of an attempt, if it is listed still."""
        blank, now = User(name=entry.identity.name), self.clock()
        self.insist(
            lambda: self.archive.change(blank, lambda user: changes.settled(user, entry.attempt, state, problem, now)),
            again,
        )

    def insist(self, write: Callable[[], T], again: Again) -> T:
        """Make a write after an answer, again and again while that may help."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return write()
            except LedgerUnusable as error:
                if not error.transient or not again(pause):
                    raise
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_own(self, run: str) -> bool:
        return run in self._begun


def moved_away(place: str, moved: Moved) -> LedgerUnusable:
    """The error of a ledger that lies elsewhere now, or is not wholly here yet."""
    if not moved.to:
        return LedgerUnusable(place, "is not complete", "Run again the ledger copy that was on its way to it.")
    if not moved.done:
        return LedgerUnusable(place, f"is being moved to {moved.to}", "Run again: ledger copy, with the same places.")
    return LedgerUnusable(place, f"was moved to {moved.to}", "Set openfunnel:ledger, or OPENFUNNEL_LEDGER, to that.")
