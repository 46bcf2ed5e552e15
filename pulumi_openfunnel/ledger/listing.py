"""What a ledger holds, as the command shows it: a row for each attempt."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .documents import USABLE, Answer, Attempt, Claim, Identity, State, User, answer_name
from .rules import Ledger


class Status(str, enum.Enum):
    """What is known of an attempt's user."""

    ASKED = "asked"
    """A request went out, or is about to; no answer was kept."""
    REFUSED = "refused"
    """Nothing was created by it."""
    ANSWERED = "answered"
    """An answer is kept, and its key not handed over yet; with a problem, it is not used."""
    ISSUED = "issued"
    """The key is a user's."""
    RELEASED = "released"
    """The user left its stack; the key waits here."""
    DEAD = "dead"
    """The key works no more."""


@dataclass(frozen=True)
class Row:
    """One attempt. Times are seconds since the epoch.

    Attributes:
        name: the user's document.
        identity: whose it is, and what the answer is bound to.
        attempt: the attempt.
        answer: its answer, if there is one; not shown by ``repr``.
        status: what is known of it.
        fingerprint: the key's, once it was claimed.
        changed: when anything of it changed last.
    """

    name: str
    identity: Identity
    attempt: Attempt
    answer: Answer | None = field(repr=False)
    status: Status
    fingerprint: str | None
    changed: float

    @property
    def may_hold_live_key(self) -> bool:
        """Whether the only copy of a key that works may be in it."""
        return self.answer is not None and self.attempt.state is not State.DEAD

    @property
    def may_be_busy(self) -> bool:
        """Whether a run may be asking for it right now."""
        return self.attempt.state is State.OPEN and self.answer is None


@dataclass(frozen=True)
class Listing:
    """What a ledger holds.

    Attributes:
        rows: by user, oldest attempt first.
        problems: one line for each document that cannot be read.
    """

    rows: tuple[Row, ...]
    problems: tuple[str, ...]


def listed(ledger: Ledger) -> Listing:
    """Everything, one line for what cannot be read; nothing is written. A ledger that was moved can be listed, too."""
    problems: list[str] = []
    fingerprints = dict(fingerprints_in(ledger, problems))
    rows: list[Row] = []
    for names in ledger.archive.chunks("users/"):
        users, wrong = ledger.archive.read_sound(User, names)
        problems += wrong
        attempts = [one for seen in users.values() for one in seen.document.attempts]
        answers, wrong = ledger.archive.read_sound(Answer, [answer_name(one.answer) for one in attempts])
        problems += wrong
        found = {name: seen.document for name, seen in answers.items()}
        for seen in users.values():
            rows += [
                _row(seen.document, one, found.get(answer_name(one.answer)), fingerprints)
                for one in seen.document.attempts
            ]
    return Listing(
        tuple(sorted(rows, key=lambda row: (row.identity.internal_email, row.attempt.created))), tuple(problems)
    )


def fingerprints_in(ledger: Ledger, problems: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """By user's document and attempt, the fingerprint of the key that the attempt's claim is for.

    Args:
        ledger: where the claims are.
        problems: gets a line for each claim that cannot be read.
    """
    for names in ledger.archive.chunks("keys/"):
        claims, wrong = ledger.archive.read_sound(Claim, names)
        problems += wrong
        for seen in claims.values():
            for holder in seen.document.holders:
                yield holder, seen.document.fingerprint


def row_of(user: User, attempt: Attempt, answer: Answer | None, status: Status, fingerprint: str | None) -> Row:
    """The row of an attempt.

    Args:
        user: whose.
        attempt: the attempt.
        answer: its answer, if there is one.
        status: what is known of it.
        fingerprint: the key's, once it was claimed.
    """
    changed = max(attempt.changed, answer.kept if answer is not None else 0.0)
    return Row(user.name, user.identity(attempt), attempt, answer, status, fingerprint, changed)


def _row(user: User, attempt: Attempt, answer: Answer | None, fingerprints: Mapping[tuple[str, str], str]) -> Row:
    fingerprint = fingerprints.get((user.name, attempt.id))
    return row_of(user, attempt, answer, _status(user, attempt, answer, issued=fingerprint is not None), fingerprint)


def _status(user: User, attempt: Attempt, answer: Answer | None, *, issued: bool) -> Status:
    if attempt.state is State.DEAD:
        return Status.DEAD
    if attempt.state is State.CLOSED:
        return Status.REFUSED
    if answer is None:
        return Status.ASKED
    if attempt.state not in USABLE or not answer.whole:
        return Status.ANSWERED
    if user.left:
        return Status.RELEASED
    return Status.ISSUED if issued else Status.ANSWERED
