"""What the ledger knows: a row for each user that was asked for."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field


class Status(str, enum.Enum):
    """What is known of a row's user."""

    ASKED = "asked"
    """A request went out, or is about to; no answer was kept."""
    REFUSED = "refused"
    """OpenFunnel refused it, and no earlier request can have created it."""
    ANSWERED = "answered"
    """An answer is kept, and not yet believed; with a problem, it was looked at and is not used."""
    ISSUED = "issued"
    """The answer was believed: its key is a user's."""
    RELEASED = "released"
    """The user left its stack; the key waits here."""
    DEAD = "dead"
    """The key was revoked, or another one took its place."""


@dataclass(frozen=True)
class Identity:
    """Whose user it is, by whose account, and where.

    Attributes:
        base_url: the API's base URL, normalized.
        user_id: the orchestrator's own email.
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


@dataclass(frozen=True)
class Row:
    """One row as it was read. Times are seconds since the epoch.

    Attributes:
        id: the row's number.
        identity: whose user it is.
        status: what is known of it.
        run: the run that wrote it last.
        asking: whether that run said that it is at it.
        attempts: requests that went out.
        unanswered: those of them whose answer is not known, so that they may have created the user.
        key_id: the key that the answer is sealed under.
        sealed: the answer's body, sealed; not shown by ``repr``.
        fingerprint: the key's, once the answer was believed.
        problem: why an answer is not used, or a key is dead.
    """

    id: int
    identity: Identity
    status: Status
    run: str
    asking: bool
    attempts: int
    unanswered: int
    key_id: str | None
    sealed: bytes | None = field(repr=False)
    fingerprint: str | None
    problem: str | None
    created: float
    changed: float

    @property
    def holds_key(self) -> bool:
        """Whether the row's answer may hold the user's live key."""
        kept = self.status in (Status.ANSWERED, Status.ISSUED, Status.RELEASED)
        return kept and self.problem is None and self.sealed is not None
