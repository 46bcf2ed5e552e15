"""The use cases: provision a user, adopt one, verify a key. No Pulumi in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from .client import Balance, Client
from .errors import InvalidInput, KeyNotTried, KeyRefused
from .settings import API_KEY, Settings, is_key

ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True)
class ProvisionedKey:
    """A user that exists and its key, which ``repr`` does not show."""

    id: str
    api_key: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """See :func:`fingerprint`."""
        return fingerprint(self.api_key)


@dataclass(frozen=True)
class KeyState:
    """What is known of a user's key.

    Attributes:
        status: ``"active"`` or ``"revoked"``; None when OpenFunnel did not tell.
        problem: what OpenFunnel did instead; None when it told.
    """

    status: str | None
    problem: str | None = None


def provision(settings: Settings, internal_email: str) -> ProvisionedKey:
    """Create the user with this internal email, and return its id and key.

    Args:
        settings: who asks, where, with which key.
        internal_email: the address to create, at the orchestrator's domain.

    Raises:
        InvalidSetting: when no provisioner key is set; nothing was asked for.
        ProvisioningError: one of its subclasses, when the user was not provisioned.
    """
    created = _client(settings).create_user(
        internal_email,
        user_id=settings.user_id,
        api_key=settings.require_api_key(),
        set_key=settings.way_out(API_KEY),
    )
    return ProvisionedKey(id=created.id, api_key=created.api_key)


def adopt(settings: Settings, internal_email: str, api_key: str) -> ProvisionedKey:
    """Take over a user that exists, by its key: nothing is created, and no provisioner key is needed.

    Args:
        settings: where to try the key.
        internal_email: the user, and the id it gets, because the API cannot tell its own.
        api_key: the user's key.

    Raises:
        InvalidInput: when the key cannot be a user's.
        KeyRefused: when OpenFunnel does not accept it.
        KeyNotTried: when OpenFunnel did not say.
    """
    api_key = checked_key(settings, api_key)
    balance = _client(settings).balance(api_key)
    if balance.refused:
        raise KeyRefused(
            internal_email,
            "OpenFunnel refused existing_api_key (401). Nothing was stored. Pass the user's own key.",
            401,
        )
    if not balance.accepted:
        raise KeyNotTried(
            internal_email,
            f"existing_api_key could not be tried: OpenFunnel was asked, but {balance.problem}. Nothing was stored. "
            "Run pulumi up again.",
            balance.status,
        )
    return ProvisionedKey(id=internal_email, api_key=api_key)


def checked_key(settings: Settings, api_key: object) -> str:
    """A key to adopt, stripped.

    Raises:
        InvalidInput: when it cannot be a user's key. The message does not show it.
    """
    key = api_key.strip() if isinstance(api_key, str) else ""
    if not is_key(key):
        raise InvalidInput(
            "existing_api_key",
            "existing_api_key: empty, or holds a space, a line break or another character no key has. "
            "Pass the user's own key.",
        )
    if key == settings.api_key:
        raise InvalidInput(
            "existing_api_key",
            "existing_api_key: this is the provisioner key, which would give an end user your account. "
            "Pass the user's own key.",
        )
    return key


def verify(settings: Settings, api_key: str) -> KeyState:
    """Whether a user's key still works, by trying it.

    It is revoked only when OpenFunnel refuses it and accepts the provisioner key at the same moment: an outage,
    a proxy's login page or a rotated provisioner key say nothing of the user.

    Args:
        settings: where to ask, and the provisioner key to compare with.
        api_key: the user's key.
    """
    balance = _client(settings).balance(api_key)
    if balance.accepted:
        return KeyState(ACTIVE)
    if not balance.refused:
        return KeyState(None, f"OpenFunnel was asked, but {balance.problem}")
    if settings.api_key is None:
        return KeyState(None, "OpenFunnel refused the key, and there is no provisioner key to compare with")
    if not _client(settings).balance(settings.api_key).accepted:
        return KeyState(None, "OpenFunnel refused the key, but does not accept the provisioner key either")
    return KeyState(REVOKED)


def preflight(settings: Settings) -> Balance:
    """What the balance endpoint says of the provisioner key.

    Raises:
        InvalidSetting: when none is set.
    """
    return _client(settings).balance(settings.require_api_key())


def fingerprint(api_key: str) -> str:
    """A short digest of a key that tells keys apart and gives nothing away: SHA-256, its first 16 hex digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


def _client(settings: Settings) -> Client:
    return _shared_client(settings.base_url, settings.timeout)


@lru_cache
def _shared_client(base_url: str, timeout: float) -> Client:
    """One client, and so one pool of connections, for all users of the process."""
    return Client(base_url, timeout)
