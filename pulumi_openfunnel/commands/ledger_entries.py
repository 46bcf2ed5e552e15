"""What a ledger holds, attempt by attempt, with what is known around each. Nothing is written."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..ledger.documents import MOVED, USABLE, Answer, Attempt, Moved, Run, State, User, answer_name
from ..ledger.leases import LEASE
from ..ledger.listing import Row, Status, fingerprints_in, row_of
from ..ledger.rules import Ledger
from ..ledger.sealing import Seal
from ..places import FilePlace, Place

_CHUNK = 200  # users that are read at once


class Fate(enum.Enum):
    """What became of one attempt."""

    BUSY = enum.auto()
    """Another run is creating the user."""
    LOST = enum.auto()
    """Its answer was lost."""
    MISSING = enum.auto()
    """Its answer was kept, and is not in the ledger any more."""
    REFUSED = enum.auto()
    """Nothing was created by it."""
    CUT_OFF = enum.auto()
    """Only a part of its answer came."""
    UNUSED = enum.auto()
    """Its answer is not used."""
    STRAY = enum.auto()
    """Its answer came for an address that the user does not stand for any more."""
    READY = enum.auto()
    """Its key was not handed over yet."""
    HELD = enum.auto()
    """Its key is a user's."""
    WAITS = enum.auto()
    """Its user left its stack, and the key waits."""
    DEAD = enum.auto()
    """Its key works no more."""


_BRINGS_KEY = frozenset({Fate.READY, Fate.HELD, Fate.WAITS})

_FAILED = frozenset({Fate.BUSY, Fate.LOST, Fate.REFUSED, Fate.CUT_OFF, Fate.UNUSED, Fate.STRAY})

_STATUS = {
    Fate.BUSY: Status.ASKED,
    Fate.LOST: Status.ASKED,
    Fate.MISSING: Status.ASKED,
    Fate.REFUSED: Status.REFUSED,
    Fate.CUT_OFF: Status.ANSWERED,
    Fate.UNUSED: Status.ANSWERED,
    Fate.STRAY: Status.ANSWERED,
    Fate.READY: Status.ANSWERED,
    Fate.HELD: Status.ISSUED,
    Fate.WAITS: Status.RELEASED,
    Fate.DEAD: Status.DEAD,
}


@dataclass(frozen=True)
class Entry:
    """One attempt.

    Attributes:
        row: the attempt, as the ledger's upkeep knows it.
        fate: what became of it.
        email: the end user that the internal email stands for now; the attempt may be for an earlier address of it.
        by: the run that is creating the user, where that is known.
        needs_old_key: whether its answer is sealed under a key that is not at hand; None when that is not known, or
            there is no answer.
        user_has_key: whether an attempt for the user brought its key, this one or another.
    """

    row: Row
    fate: Fate
    email: str
    by: str | None
    needs_old_key: bool | None
    user_has_key: bool

    @property
    def failed(self) -> bool:
        """Whether its user was requested and is not there."""
        return not self.user_has_key and self.fate in _FAILED


class Entries:
    """All entries of a ledger, by internal email, the oldest attempt first. Read some at a time, so that memory stays flat.

    Args:
        ledger: whose entries.
        place: where it lies.
        at_hand: the seals that pulumi up would have.

    Attributes:
        problems: one line for each document that could not be read, once all entries were.
    """

    def __init__(self, ledger: Ledger, place: Place, at_hand: Sequence[Seal]) -> None:
        self._ledger = ledger
        self._runs = _Runs(ledger, place)
        self._at_hand = {seal.key_id for seal in at_hand}
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> list[str]:
        return list(self._problems)

    def moved(self) -> Moved | None:
        """Where the ledger went, if it was moved."""
        found, wrong = self._ledger.archive.read_sound(Moved, [MOVED])
        self._problems.update(dict.fromkeys(wrong))
        return found[MOVED].document if MOVED in found else None

    def __iter__(self) -> Iterator[Entry]:
        problems: list[str] = []
        fingerprints = dict(fingerprints_in(self._ledger, problems))
        self._problems.update(dict.fromkeys(problems))
        names = self._names()
        for start in range(0, len(names), _CHUNK):
            yield from self._entries(names[start : start + _CHUNK], fingerprints)

    def _names(self) -> list[str]:
        """The names of the users' documents, by internal email."""
        known: list[tuple[str, str]] = []
        for names in self._ledger.archive.chunks("users/"):
            known += [(user.internal_email, user.name) for user in self._users(names).values() if user.attempts]
        return [name for _, name in sorted(known)]

    def _users(self, names: list[str]) -> dict[str, User]:
        users, wrong = self._ledger.archive.read_sound(User, names)
        self._problems.update(dict.fromkeys(wrong))
        return {name: seen.document for name, seen in users.items()}

    def _entries(self, names: list[str], fingerprints: Mapping[tuple[str, str], str]) -> Iterator[Entry]:
        users = self._users(names)
        attempts = [one for user in users.values() for one in user.attempts]
        answers, wrong = self._ledger.archive.read_sound(Answer, [answer_name(one.answer) for one in attempts])
        self._problems.update(dict.fromkeys(wrong))
        for name in names:
            if name in users:
                kept = [(one, answers.get(answer_name(one.answer))) for one in users[name].attempts]
                found = [(one, seen.document if seen is not None else None) for one, seen in kept]
                yield from self._of(users[name], found, fingerprints)

    def _of(
        self, user: User, found: Sequence[tuple[Attempt, Answer | None]], fingerprints: Mapping[tuple[str, str], str]
    ) -> Iterator[Entry]:
        """The entries of one user."""
        fates = [self._fate(user, one, answer, claimed=(user.name, one.id) in fingerprints) for one, answer in found]
        has_key = not _BRINGS_KEY.isdisjoint(fates)
        for fate, (attempt, answer) in zip(fates, found, strict=True):
            yield Entry(
                row=row_of(user, attempt, answer, _STATUS[fate], fingerprints.get((user.name, attempt.id))),
                fate=fate,
                email=user.email,
                by=self._runs.name(attempt.run) if fate is Fate.BUSY else None,
                needs_old_key=answer.key_id not in self._at_hand if answer is not None and self._at_hand else None,
                user_has_key=has_key,
            )

    def _fate(self, user: User, attempt: Attempt, answer: Answer | None, *, claimed: bool) -> Fate:  # noqa: PLR0911 - a table
        is_whole = answer is not None and answer.whole
        if attempt.state is State.DEAD:
            return Fate.DEAD
        if attempt.state is State.CLOSED:
            return Fate.REFUSED
        if attempt.state is State.OPEN and not is_whole and self._runs.lives(attempt.run):
            return Fate.BUSY
        if answer is None:
            return Fate.MISSING if claimed or attempt.state is State.KEPT else Fate.LOST
        if not is_whole:
            return Fate.CUT_OFF
        if attempt.state not in USABLE:
            return Fate.UNUSED
        return _fate_of_key(user, attempt, claimed=claimed)


class _Runs:
    """Which runs live. On a shared store by this machine's clock, because a look by the store's own would write."""

    def __init__(self, ledger: Ledger, place: Place) -> None:
        self._ledger = ledger
        self._is_file = isinstance(place, FilePlace)
        self._known: dict[str, tuple[bool, str | None]] = {}

    def lives(self, run: str) -> bool:
        """Whether a run lives, or did a moment ago."""
        return self._look(run)[0]

    def name(self, run: str) -> str | None:
        """Where it runs, if the ledger knows."""
        return self._look(run)[1]

    def _look(self, run: str) -> tuple[bool, str | None]:
        if run not in self._known:
            self._known[run] = (self._ledger.owners.lives(run), None) if self._is_file else self._read(run)
        return self._known[run]

    def _read(self, run: str) -> tuple[bool, str | None]:
        name = f"runs/{run}"
        found, _ = self._ledger.archive.read_sound(Run, [name])
        if name not in found:
            return False, None
        seen = found[name]
        where = seen.document.job or f"process {seen.document.process} on {seen.document.host}"
        return self._ledger.clock() - seen.written <= LEASE, where


def _fate_of_key(user: User, attempt: Attempt, *, claimed: bool) -> Fate:
    """What became of an attempt whose answer may hold the live key."""
    if attempt.email != user.email:
        return Fate.STRAY
    if user.left:
        return Fate.WAITS
    return Fate.HELD if claimed else Fate.READY
