"""The use cases: provision a user, release a key. No Pulumi in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from .client import Client
from .settings import Settings

ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True)
class ProvisionedKey:
    """A user that exists and its key, which ``repr`` does not show."""

    id: str
    api_key: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.api_key)


def provision(settings: Settings, internal_email: str) -> ProvisionedKey:
    """Create the user with this internal email, and return its id and key.

    Args:
        settings: who asks, where, with which key.
        internal_email: the address to create, at the orchestrator's domain.

    Raises:
        InvalidSetting: when no provisioner key is set; nothing was asked for.
        ProvisioningError: one of its subclasses, when the user was not provisioned.
    """
    api_key = settings.require_api_key()
    created = _client(settings.base_url, settings.timeout).create_user(
        internal_email, user_id=settings.user_id, api_key=api_key
    )
    return ProvisionedKey(id=created.id, api_key=created.api_key)


def fingerprint(api_key: str) -> str:
    """A short digest of a key that tells keys apart and gives nothing away: SHA-256, its first 16 hex digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


@lru_cache
def _client(base_url: str, timeout: float) -> Client:
    """One client, and so one pool of connections, for all users of the process."""
    return Client(base_url, timeout)
