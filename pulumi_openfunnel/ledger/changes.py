"""What may become of a user's document. Each change is pure: a document in, a document or a refusal out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from .documents import USABLE, Answer, Attempt, Identity, State, User, answer_name
from .turns import Holds, Taken, kept

CUT_OFF = "its connection broke off"
REPLACED = "another key took its place"
MOVED_AWAY = "its user stands for another address now"
SHARED = "its key is another user's"
SEEN_REVOKED = "seen revoked"

_LOST_LISTED = 8  # lost attempts that stay, so that a document does not grow with every failure


# A request


def turn(user: User, identity: Identity, answers: Mapping[str, Answer]) -> Taken | Holds | None:
    """Whose turn it is to ask for a user.

    Args:
        user: its document.
        identity: who is to be asked for.
        answers: those of its usable attempts that are there, by name.

    Returns:
        Another end user's document; or answers to try. Whoever is at an attempt of :func:`newer` has to be waited for first.
    """
    if is_anothers(user, identity.email):
        return Taken(user)
    found = [kept(user, one, answer) for one in user.usable if (answer := answers.get(answer_name(one.answer)))]
    whole = tuple(one for one in found if one.answer.whole)
    return Holds(whole) if whole else None


def newer(user: User, answers: Mapping[str, Answer]) -> tuple[Attempt, ...]:
    """The open attempts that came after the newest answer: one of them may bring a key that replaces it."""
    of_whole = [
        n for n, one in enumerate(user.attempts) if (found := answers.get(answer_name(one.answer))) and found.whole
    ]
    return tuple(one for one in user.attempts[max(of_whole, default=-1) + 1 :] if one.state is State.OPEN)


def is_anothers(user: User, *emails: str) -> bool:
    """Whether an internal email is somebody else's than the end user with one of these addresses."""
    return user.binds and user.email not in emails


def is_lost(attempts: Iterable[Attempt]) -> bool:
    """Whether a request among these, whose answer was lost or could not be used, may have created the user."""
    return any(one.state in (State.OPEN, State.LOST, State.UNUSED) for one in attempts)


def opened(user: User, identity: Identity, attempt: Attempt, answers: Collection[str] = ()) -> User:
    """A new attempt is opened; nobody is at those that were open before.

    Args:
        user: the document.
        identity: who is asked for.
        attempt: the new one.
        answers: names of the answers that are there, none of them whole.
    """
    before = [_left_behind(one, answers) for one in user.attempts if one.state is not State.CLOSED]
    lost = [one.id for one in before if one.state is State.LOST]
    listed = [one for one in before if one.id not in lost[:-_LOST_LISTED]]
    return _of(replace(user, left=False, attempts=(*listed, attempt)), identity)


def settled(user: User, id: str, state: State, problem: str | None, now: float) -> User:
    """An attempt is not open any more, or its answer not used."""
    return _with(user, id, lambda one: replace(one, state=state, problem=problem, changed=now))


def relisted(user: User, attempt: Attempt, identity: Identity, key: str) -> User:
    """An attempt whose answer came after its run had lapsed, or with a key that was taken for dead: it is listed.

    Where the internal email became another end user's meanwhile, it is listed as one that is not used.
    """
    known = user.attempt(attempt.id) is not None
    if is_anothers(user, identity.email):
        attempt = replace(attempt, state=State.UNUSED, problem=MOVED_AWAY)
        return user if known else replace(user, attempts=(*user.attempts, attempt))
    user = revived(user, key)
    return user if known else _of(replace(user, attempts=(*user.attempts, attempt)), identity)


# A key


def died(user: User, id: str, key: str, problem: str, now: float) -> User:
    """A key works no more: no claim of it counts, and its attempt is not looked at again."""
    user = settled(user, id, State.DEAD, problem, now)
    return user if key in user.dead else replace(user, dead=(*user.dead, key))


def revived(user: User, key: str) -> User:
    """A key that was taken for dead was seen to work."""
    return replace(user, dead=tuple(one for one in user.dead if one != key)) if key in user.dead else user


def gone(user: User, id: str, now: float) -> User:
    """The user left its stack: its key waits, unless it is not the one to hand over any more."""
    found = user.attempt(id)
    if found is None or found.state not in USABLE or user.left:
        return user
    return replace(_with(user, id, lambda one: replace(one, changed=now)), left=True)


def back(user: User) -> User:
    """The user is in a stack again."""
    return replace(user, left=False) if user.left else user


def brought(user: User, identity: Identity, attempt: Attempt, key: str, holder: str | None) -> User:
    """A key comes in that was seen to work, perhaps for another address of the same end user.

    Args:
        user: the document.
        identity: whose key it is.
        attempt: the new attempt, whose answer holds the key.
        key: what ``keys/`` calls it.
        holder: the attempt that brought the same key before; the new one takes its place and its id.
    """
    known = user.attempt(holder) if holder is not None else None
    if known is not None:
        attempt = replace(attempt, id=known.id, created=known.created)
    others = [_passed(one, identity.email) for one in user.attempts if one is not known]
    return revived(_of(replace(user, left=False, attempts=(*others, attempt)), identity), key)


def superseded(user: User, id: str, answers: Collection[str], now: float) -> User:
    """One attempt's key is the user's: other answers are not used any more."""
    others = [one for one in user.usable if one.id != id and answer_name(one.answer) in answers]
    for one in others:
        user = settled(user, one.id, State.UNUSED, REPLACED, now)
    return user


def kept_aside(user: User, identity: Identity, attempt: Attempt, answers: Collection[str]) -> User:
    """A key that only a state held comes in, because it leaves that state: to wait, or as one that is not used."""
    others = any(one.state is State.OPEN or answer_name(one.answer) in answers for one in user.usable)
    if attempt.state is State.KEPT and (others or is_anothers(user, identity.email)):
        attempt = replace(attempt, state=State.UNUSED, problem=REPLACED)
    user = replace(user, attempts=(*user.attempts, attempt))
    if attempt.state is State.KEPT:
        return _of(replace(user, left=True), identity)
    return user if user.base_url else _of(user, identity)


# What the command does


def resealed(user: User, answers: Mapping[str, str], now: float, email: str | None = None) -> User:
    """Answers were sealed anew, perhaps for another address of the end user.

    Args:
        user: the document.
        answers: the ids of the new answers, by the ids of those whose place they take.
        now: when.
        email: the new address; an attempt whose answer was not sealed anew keeps the old one.
    """
    attempts = tuple(
        replace(one, answer=answers[one.answer], email=email or one.email, changed=now)
        if one.answer in answers
        else one
        for one in user.attempts
    )
    if email is not None:
        return replace(user, attempts=attempts, email=email)
    return replace(user, attempts=attempts) if attempts != user.attempts else user


def forgotten(user: User, ids: Collection[str]) -> User:
    """Attempts are forgotten; with the last of them all that the document says."""
    left = tuple(one for one in user.attempts if one.id not in ids)
    if len(left) == len(user.attempts):
        return user
    return replace(user, attempts=left) if left else User(name=user.name)


def _of(user: User, identity: Identity) -> User:
    return replace(user, base_url=identity.base_url, internal_email=identity.internal_email, email=identity.email)


def _with(user: User, id: str, change: Callable[[Attempt], Attempt]) -> User:
    if user.attempt(id) is None:
        return user
    return replace(user, attempts=tuple(change(one) if one.id == id else one for one in user.attempts))


def _left_behind(attempt: Attempt, answers: Collection[str]) -> Attempt:
    """An attempt that nobody is at: what came of it did not come to its end, or never came."""
    if attempt.state is not State.OPEN:
        return attempt
    if answer_name(attempt.answer) in answers:
        return replace(attempt, state=State.UNUSED, problem=CUT_OFF)
    return replace(attempt, state=State.LOST)


def _passed(attempt: Attempt, email: str) -> Attempt:
    """An attempt beside a newer key, which may be for another address of its end user."""
    if attempt.email != email and attempt.state in USABLE:
        return replace(attempt, state=State.UNUSED, problem=MOVED_AWAY)
    return attempt
