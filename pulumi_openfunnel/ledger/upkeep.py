"""What the command does to a ledger: seal its answers anew, reassign users, forget them."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from . import changes
from .archive import Seen, together
from .documents import Answer, State, User, answer_name
from .listing import Row
from .rules import Ledger
from .sealing import Seal
from .turns import opened


class Outcome(str, enum.Enum):
    """What came of one user, or of one row."""

    DONE = "done"
    BUSY = "a run that lives is asking for it"
    SEALED = "an answer is sealed under a key that is not at hand"
    HOLDS_KEY = "it may hold the only copy of a live key"


@dataclass(frozen=True)
class Rekeyed:
    """What came of sealing anew.

    Attributes:
        sealed: answers that are sealed under the new key now.
        stuck: answers that did not open.
        busy: users that a living run is asking for, and that were left as they are.
        problems: a line for each document that cannot be read, and that was left as it is.
    """

    sealed: int
    stuck: int
    busy: int
    problems: tuple[str, ...] = ()


def rekey(ledger: Ledger, new: Seal, at_hand: Sequence[Seal]) -> Rekeyed:
    """Seal every answer under another key.

    Args:
        ledger: whose answers.
        new: what to seal under.
        at_hand: what they may be sealed under now.
    """
    ledger.begun()
    done: list[Rekeyed] = []
    for names in ledger.archive.chunks("users/"):
        found, problems = ledger.archive.read_sound(User, names)
        done.append(Rekeyed(0, 0, 0, tuple(problems)))
        done += together(lambda seen: _rekeyed(ledger, seen.document, new, at_hand), found.values())
    return Rekeyed(
        sum(one.sealed for one in done),
        sum(one.stuck for one in done),
        sum(one.busy for one in done),
        tuple(problem for one in done for problem in one.problems),
    )


def reassign(ledger: Ledger, user: User, email: str, seal: Seal, at_hand: Sequence[Seal]) -> Outcome:
    """A user becomes that of another address of the same end user; its keys stay. It is not changed where it cannot wholly be.

    Args:
        ledger: whose user.
        user: the user.
        email: the address from now on, normalized.
        seal: what to seal its answers under.
        at_hand: what they may be sealed under now, ``seal`` among them.
    """
    if ledger.at_it(user) is not None:
        return Outcome.BUSY
    found = _by_id(user, ledger.archive.read_many(Answer, _names(user)))
    copies = _copies(ledger, user, found, seal, at_hand, email)
    needed = [one for one in user.usable if one.answer in found]
    if any(one.answer not in copies for one in needed):
        for id in copies.values():
            ledger.archive.remove(answer_name(id))
        return Outcome.SEALED
    return _list_copies(ledger, user, copies, email)


def forget(ledger: Ledger, rows: Sequence[Row], *, lose_keys: bool = False) -> list[tuple[Row, Outcome]]:
    """Remove attempts for good, with their answers; a user's document is emptied with the last of them.

    Args:
        ledger: whose they are.
        rows: which.
        lose_keys: whether to remove what may hold the only copy of a live key as well.
    """
    ledger.begun()
    late = ledger.archive.read_many(Answer, [answer_name(row.attempt.answer) for row in rows if row.answer is None])
    done = [(row, _fate(ledger, row, late, lose_keys=lose_keys)) for row in rows]
    gone = [row for row, outcome in done if outcome is Outcome.DONE]
    for name in dict.fromkeys(row.name for row in gone):
        ids = {row.attempt.id for row in gone if row.name == name}
        ledger.archive.change(User(name=name), lambda user, ids=ids: changes.forgotten(user, ids))  # type: ignore[misc]
    for row in gone:
        ledger.archive.remove(answer_name(row.attempt.answer))
    return done


def _fate(ledger: Ledger, row: Row, late: Collection[str], *, lose_keys: bool) -> Outcome:
    if row.may_be_busy and ledger.is_busy(row.attempt):
        return Outcome.BUSY
    holds = row.may_hold_live_key or answer_name(row.attempt.answer) in late
    return Outcome.HOLDS_KEY if holds and not lose_keys else Outcome.DONE


def _rekeyed(ledger: Ledger, user: User, new: Seal, at_hand: Sequence[Seal]) -> Rekeyed:
    found, problems = ledger.archive.read_sound(Answer, _names(user))
    old = {id: answer for id, answer in _by_id(user, found).items() if answer.key_id != new.key_id}
    if old and ledger.at_it(user) is not None:
        return Rekeyed(0, 0, 1, tuple(problems))
    copies = _copies(ledger, user, old, new, at_hand)
    _list_copies(ledger, user, copies)
    return Rekeyed(len(copies), len(old) - len(copies), 0, tuple(problems))


def _names(user: User) -> list[str]:
    """The names of a user's answers."""
    return [answer_name(one.answer) for one in user.attempts]


def _by_id(user: User, found: Mapping[str, Seen[Answer]]) -> dict[str, Answer]:
    """A user's answers that were found, by their ids."""
    ids = {answer_name(one.answer): one.answer for one in user.attempts}
    return {ids[name]: seen.document for name, seen in found.items()}


def _copies(  # noqa: PLR0917 - of one user, both callers give all of it
    ledger: Ledger,
    user: User,
    answers: dict[str, Answer],
    seal: Seal,
    at_hand: Sequence[Seal],
    email: str | None = None,
) -> dict[str, str]:
    """Those of the answers that open, sealed anew and written; the new ids by the old ones."""
    copies = {}
    for attempt in user.attempts:
        answer = answers.get(attempt.answer)
        body = opened(answer, user.identity(attempt), at_hand) if answer is not None else None
        if answer is not None and body is not None:
            identity = replace(user.identity(attempt), email=email or attempt.email)
            copies[attempt.answer] = ledger.archive.fresh()
            copy = ledger.new_answer(copies[attempt.answer], identity, body, seal, whole=answer.whole)
            ledger.archive.write(replace(copy, kept=answer.kept), None)
    return copies


def _list_copies(ledger: Ledger, user: User, copies: dict[str, str], email: str | None = None) -> Outcome:
    """List copies in the place of what they are of, in one write; then remove that, or the copies if it cannot be."""
    if not copies and email is None:
        return Outcome.DONE
    now, known = ledger.clock(), {one.id for one in user.attempts}

    def decide(found: User) -> User | Outcome:
        if any(one.state is State.OPEN and one.id not in known for one in found.attempts):
            return Outcome.BUSY
        return changes.resealed(found, copies, now, email)

    decided = ledger.archive.change(User(name=user.name), decide)
    listed = {one.answer for one in decided.attempts} if isinstance(decided, User) else set()
    for before, after in copies.items():
        ledger.archive.remove(answer_name(before if after in listed else after))
    return Outcome.DONE if isinstance(decided, User) else Outcome.BUSY
