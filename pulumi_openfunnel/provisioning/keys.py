"""Whom a user is for, its key, and what a state holds of both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True)
class EndUser:
    """Whom a user is for, and what it is called.

    Attributes:
        email: the end user's address, normalized.
        internal_email: the user's, at the orchestrator's domain.
    """

    email: str
    internal_email: str


@dataclass(frozen=True)
class ProvisionedKey:
    """A user that exists and its key.

    Attributes:
        id: the API's, or the internal email of an adopted one.
        api_key: the key; not shown by ``repr``.
        recalled: whether it came from the ledger.
    """

    id: str
    api_key: str = field(repr=False)
    recalled: bool = field(default=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """See :func:`fingerprint`."""
        return fingerprint(self.api_key)


@dataclass(frozen=True)
class Held:
    """A user as a stack's state holds it.

    Attributes:
        user: whose it is.
        id: the API's, or the internal email of an adopted one.
        api_key: its key, when the state has one; not shown by ``repr``.
        fingerprint: the key's.
        status: ``"active"`` or ``"revoked"``, as last seen.
        orchestrator: the name of the credentials that it was created with; None for the stack's default ones.
    """

    user: EndUser
    id: str
    api_key: str | None = field(repr=False)
    fingerprint: str | None
    status: str | None
    orchestrator: str | None

    @property
    def key(self) -> ProvisionedKey | None:
        """The key, when the state has one."""
        return ProvisionedKey(self.id, self.api_key) if self.api_key else None

    @property
    def is_revoked(self) -> bool:
        """Whether the key was seen revoked."""
        return self.status == REVOKED


@dataclass(frozen=True)
class Failed:
    """Why a user's key could not be got.

    Attributes:
        reason: a sentence that does not name the user.
    """

    reason: str


def brings_another_key(held: Held, existing_api_key: object) -> bool:
    """Whether the program passes another key than the one that is stored."""
    if existing_api_key is None:
        return False
    return not (isinstance(existing_api_key, str) and existing_api_key.strip() == held.api_key)


def fingerprint(api_key: str) -> str:
    """A short digest of a key that tells keys apart and gives nothing away: SHA-256, its first 16 hex digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]
