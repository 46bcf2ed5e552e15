"""The ledger's documents: what each of them holds, and the names they lie under.

``users/`` says all that is known of one internal email, ``answers/`` keeps one sealed answer each, ``keys/`` says who
holds a key, ``runs/`` which run lives (see leases), and ``moved`` where a ledger went that was copied.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass, field

_KEY_DOMAIN = b"pulumi_openfunnel ledger 1: key\0"

MOVED = "moved"
"""The name of the document that says that the ledger lies elsewhere now."""


class State(str, enum.Enum):
    """What is known of one attempt."""

    OPEN = "open"
    """A run may be asking for the user, or asked and left an answer."""
    LOST = "lost"
    """Nobody is at it any more, and its request may have created the user."""
    CLOSED = "closed"
    """Nothing was created by it: OpenFunnel refused, or no request went out."""
    KEPT = "kept"
    """No request belongs to it: its answer holds a key that was adopted, or that only a state held."""
    UNUSED = "unused"
    """Its answer is not used, and shown with the problem."""
    DEAD = "dead"
    """Its key works no more."""


USABLE = frozenset({State.OPEN, State.LOST, State.KEPT})
"""The states in which an answer, once there is one, may hold the user's live key."""


@dataclass(frozen=True)
class Identity:
    """Whose user it is, by whose account, and where.

    Attributes:
        base_url: the API's base URL, normalized.
        user_id: the orchestrator's own email; recorded, and not compared.
        internal_email: the user's address at the orchestrator's domain.
        email: the end user's address, normalized.
    """

    base_url: str
    user_id: str
    internal_email: str
    email: str

    @property
    def bound(self) -> bytes:
        """The identity as bytes, for what is to belong to it alone."""
        return json.dumps([self.base_url, self.user_id, self.internal_email, self.email]).encode()

    @property
    def name(self) -> str:
        """The name of its ``users/`` document."""
        return user_name(self.base_url, self.internal_email)

    @property
    def is_of_domain(self) -> bool:
        """Whether the user is at the orchestrator's domain; one from before the settings named another is not."""
        return self.internal_email.rpartition("@")[2] == self.user_id.rpartition("@")[2]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What every document says of itself.

    Attributes:
        name: the name that it lies under.
        nonce: another one with each write, so that a writer knows its own document again.
    """

    name: str
    nonce: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to a user's key: a request with its repetitions, or a key that came without one.

    Attributes:
        id: tells attempts apart, for ever; claims name it.
        run: the run that made it.
        user_id: who asked.
        email: the end user that its answer is sealed for.
        state: what is known of it.
        created, changed: seconds since the epoch, by the clock of the run that wrote.
        answer: the id of its ``answers/`` document: its own, until that answer is sealed anew.
        problem: why its answer is not used, or why it was closed.
    """

    id: str
    run: str
    user_id: str
    email: str
    state: State
    created: float
    changed: float
    answer: str
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class User(Stored):
    """All that is known of one internal email. Emptied when it is forgotten, never deleted.

    Attributes:
        base_url, internal_email, email: see :class:`Identity`; all empty in an emptied document.
        left: whether the user left its stack, so that its key waits here.
        attempts: oldest first.
        dead: what ``keys/`` calls the keys of this user that work no more.
    """

    base_url: str = ""
    internal_email: str = ""
    email: str = ""
    left: bool = False
    attempts: tuple[Attempt, ...] = ()
    dead: tuple[str, ...] = ()

    @property
    def binds(self) -> bool:
        """Whether the internal email is this end user's; attempts that created nothing bind nobody."""
        return any(attempt.state is not State.CLOSED for attempt in self.attempts)

    @property
    def usable(self) -> tuple[Attempt, ...]:
        """The attempts whose answer, if there is one, may hold the live key; newest first."""
        return tuple(one for one in reversed(self.attempts) if one.state in USABLE and one.email == self.email)

    def attempt(self, id: str) -> Attempt | None:
        """The attempt with this id, if it is listed."""
        return next((attempt for attempt in self.attempts if attempt.id == id), None)

    def identity(self, attempt: Attempt) -> Identity:
        """The identity that an attempt's answer is bound to."""
        return Identity(self.base_url, attempt.user_id, self.internal_email, attempt.email)


@dataclass(frozen=True, kw_only=True)
class Answer(Stored):
    """The body of one answer; written once, never over.

    Attributes:
        key_id: the key that it is sealed under.
        sealed: the body, sealed; not shown by ``repr``.
        whole: whether the body came to its end.
        kept: when it came, in seconds since the epoch.
    """

    key_id: str
    sealed: bytes = field(repr=False)
    whole: bool
    kept: float


@dataclass(frozen=True, kw_only=True)
class Claim(Stored):
    """Who holds a key.

    Attributes:
        fingerprint: the key's short digest, which is shown.
        holders: names of ``users/`` documents, each with the id of the attempt in it that brought the key.
    """

    fingerprint: str
    holders: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Run(Stored):
    """A run that asks for users.

    Attributes:
        host, process, job: where it runs: the machine, the process on it, the CI job's name or address if there is one.
    """

    host: str
    process: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Moved(Stored):
    """The ledger was copied to another place, and answers for nobody here.

    Attributes:
        to: the place as messages name it; empty in a ledger that is being copied into.
        done: whether the copy is complete.
    """

    to: str
    done: bool


def user_name(base_url: str, internal_email: str) -> str:
    """The name of the document of one internal email."""
    return f"users/{hashlib.sha256(json.dumps([base_url, internal_email]).encode()).hexdigest()}"


def answer_name(id: str) -> str:
    """The name of an answer's document."""
    return f"answers/{id}"


def key_name(api_key: str) -> str:
    """The name of the document that says who holds a key; it gives nothing of the key away."""
    return f"keys/{hashlib.sha256(_KEY_DOMAIN + api_key.encode()).hexdigest()}"


def fingerprint(api_key: str) -> str:
    """A short digest of a key that tells keys apart and gives nothing away: SHA-256, its first 16 hex digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]
