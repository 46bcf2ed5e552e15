"""What is known of keys: whose they are, whether they work, and how they are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from ..api.client import Balance
from ..errors import InvalidInput, KeySealed
from ..ledger.ledger import Row
from ..ledger.sealing import Seal
from ..settings import LEDGER_KEY, Settings, is_key
from .connections import client_of, outage_of

ACTIVE = "active"
REVOKED = "revoked"
SHOW = "python -m pulumi_openfunnel ledger"


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


def verify(settings: Settings, api_key: str, *, gives_up: bool = False) -> KeyState:
    """Whether a user's key still works, by trying it.

    It is revoked only when OpenFunnel refuses it and accepts the provisioner key at the same moment: an outage,
    a proxy's login page or a rotated provisioner key say nothing of the user.

    Args:
        settings: where to ask, and the provisioner key to compare with.
        api_key: the user's key.
        gives_up: ask nothing once many keys were tried and OpenFunnel answered nobody for a while.
    """
    outage = outage_of(settings)
    if gives_up and outage.lasts:
        return KeyState(None, "OpenFunnel has not answered anybody for a while, so it was not asked")
    balance = client_of(settings).balance(api_key)
    if balance.status is None:
        outage.failed()
    else:
        outage.answered()
    if balance.accepted:
        return KeyState(ACTIVE)
    if not balance.refused:
        return KeyState(None, f"OpenFunnel was asked, but {balance.problem}")
    if settings.api_key is None:
        return KeyState(None, "OpenFunnel refused the key, and there is no provisioner key to compare with")
    if not client_of(settings).balance(settings.api_key).accepted:
        return KeyState(None, "OpenFunnel refused the key, but does not accept the provisioner key either")
    return KeyState(REVOKED)


def preflight(settings: Settings) -> Balance:
    """What the balance endpoint says of the provisioner key.

    Raises:
        InvalidSetting: when none is set.
    """
    return client_of(settings).balance(settings.require_api_key())


def fingerprint(api_key: str) -> str:
    """A short digest of a key that tells keys apart and gives nothing away: SHA-256, its first 16 hex digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


def open_row(row: Row, at_hand: list[Seal]) -> bytes:
    """The answer that a row keeps.

    Args:
        row: one that keeps an answer.
        at_hand: the seals to try.

    Raises:
        KeySealed: when it is sealed under another key, or was changed.
    """
    who = row.identity.internal_email
    seal = next((seal for seal in at_hand if seal.key_id == row.key_id), None)
    if seal is None or row.sealed is None:
        raise KeySealed(
            who,
            "its key is in the ledger, but sealed under another key: the provisioner key was rotated, or "
            f"{LEDGER_KEY} changed. Nothing was asked for. With the old key, run: {SHOW} rekey. Without it, run: {SHOW} "
            f"forget {row.identity.email}.",
        )
    answer = seal.open(row.sealed, row.identity.bound)
    if answer is None:
        raise KeySealed(
            who,
            "its answer in the ledger was changed after it was sealed, so it does not open. Nothing was asked for. "
            f"Restore the ledger from a backup, or run: {SHOW} forget {row.identity.email}.",
        )
    return answer


def as_answer(internal_email: str, key: ProvisionedKey) -> bytes:
    """A key that did not come with an answer, as the answer that it might have come with."""
    return json.dumps({"id": key.id, "email": internal_email, "api_key": key.api_key}).encode()
