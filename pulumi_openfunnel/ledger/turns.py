"""What those are told who want a user: whose turn it is, what is kept of it, and who is in the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .documents import Answer, Attempt, Identity, User, key_name
from .sealing import Seal


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One attempt, as those know it who are at it.

    Attributes:
        identity: whose it is, and what its answer is bound to.
        attempt: its id.
        dead: what ``keys/`` calls the user's keys that work no more.
    """

    identity: Identity
    attempt: str
    dead: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Asked(Entry):
    """An attempt that is the caller's to ask for.

    Attributes:
        made: the attempt as it was opened.
        lost_before: whether an earlier request, whose answer was lost, may have created the user.
    """

    made: Attempt
    lost_before: bool

    @property
    def run(self) -> str:
        """The run that it was opened under."""
        return self.made.run


@dataclass(frozen=True, kw_only=True)
class Kept(Entry):
    """An attempt whose answer is there.

    Attributes:
        answer: the answer; not shown by ``repr``.
        left: whether its user left its stack.
    """

    answer: Answer = field(repr=False)
    left: bool

    def opened(self, at_hand: Iterable[Seal]) -> bytes | None:
        """The answer's body; None when it was changed, or is sealed under a key that is not at hand."""
        return opened(self.answer, self.identity, at_hand)

    def is_dead(self, api_key: str) -> bool:
        """Whether the key is known to work no more."""
        return key_name(api_key) in self.dead


@dataclass(frozen=True)
class Holds:
    """The ledger holds answers that may have the user's live key.

    Attributes:
        kept: newest first.
    """

    kept: tuple[Kept, ...]


@dataclass(frozen=True)
class Busy:
    """Somebody is asking for the user.

    Attributes:
        name: the user's document.
        attempt: the attempt that is open.
    """

    name: str
    attempt: Attempt

    @property
    def run(self) -> str:
        """Whose it is."""
        return self.attempt.run


@dataclass(frozen=True)
class Taken:
    """Refused: the internal email, or the key, is another end user's.

    Attributes:
        user: their document.
    """

    user: User


@dataclass(frozen=True)
class Nothing:
    """Nothing is kept of a user that OpenFunnel says exists.

    Attributes:
        lost_before: whether an earlier request, whose answer was lost, may have created it.
        unused: whether an answer is kept that could not be used.
    """

    lost_before: bool
    unused: bool


def opened(answer: Answer, identity: Identity, at_hand: Iterable[Seal]) -> bytes | None:
    """An answer's body; None when none of the seals opens it for that identity."""
    bodies = (seal.open(answer.sealed, identity.bound) for seal in at_hand if seal.key_id == answer.key_id)
    return next((body for body in bodies if body is not None), None)


def kept(user: User, attempt: Attempt, answer: Answer) -> Kept:
    """An attempt with its answer, as the user's document knows it."""
    return Kept(
        identity=user.identity(attempt),
        attempt=attempt.id,
        dead=frozenset(user.dead),
        answer=answer,
        left=user.left,
    )
