"""How the ledger's answers are encrypted: AES-256-GCM, under keys derived by HKDF-SHA256 (RFC 5869)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SALT = 16  # bytes
_NONCE = 12  # bytes, as GCM wants it
_SEALING = b"pulumi_openfunnel ledger 1: sealing"
_NAMING = b"pulumi_openfunnel ledger 1: key id"


class Seal:
    """One key that answers are sealed under; ``repr`` shows its id alone.

    Args:
        secret: the ledger's own key, or the provisioner key; one that nobody can guess.

    Attributes:
        key_id: tells keys apart and gives nothing away.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.key_id = _derived(secret, b"", _NAMING, 8).hex()

    def __repr__(self) -> str:
        return f"Seal({self.key_id})"

    def seal(self, content: bytes, identity: bytes) -> bytes:
        """The content, encrypted, with a salt and a nonce of its own.

        Args:
            content: what to keep.
            identity: what the content belongs to; it opens for nothing else.
        """
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        return salt + nonce + self._cipher(salt).encrypt(nonce, content, self._bound(identity))

    def open(self, sealed: bytes, identity: bytes) -> bytes | None:
        """What was sealed; None when it was changed, cut, or belongs to something else."""
        salt, nonce, content = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE], sealed[_SALT + _NONCE :]
        try:
            return self._cipher(salt).decrypt(nonce, content, self._bound(identity))
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(_derived(self._secret, salt, _SEALING, 32))

    def _bound(self, identity: bytes) -> bytes:
        return self.key_id.encode() + b"\0" + identity


def seals(ledger_key: bytes | None, api_key: str | None) -> list[Seal]:
    """The seals at hand, the one to seal with first: under the ledger's own key, else under the provisioner key."""
    secrets: Iterable[bytes | None] = (ledger_key, api_key.encode() if api_key is not None else None)
    return [Seal(secret) for secret in secrets if secret is not None]


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
