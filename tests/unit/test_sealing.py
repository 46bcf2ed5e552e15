"""Sealed answers: who can open them, and what they give away."""

from __future__ import annotations

import base64

import pytest

from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.sealing import Seal, seals

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY

ALICE = Identity("https://api.openfunnel.dev", ORCHESTRATOR, INTERNAL_EMAIL, "alice@alice-startup.com").bound
ANSWER = f'{{"id": 7, "email": "{INTERNAL_EMAIL}", "api_key": "{USER_KEY}"}}'.encode()
LEDGER_KEY = bytes(range(32))
OVERHEAD = 16 + 12 + 16  # salt, nonce, GCM's tag


def _seal() -> Seal:
    return Seal(PROVISIONER_KEY.encode())


def _other(**changes: str) -> bytes:
    known = {
        "base_url": "https://api.openfunnel.dev",
        "user_id": ORCHESTRATOR,
        "internal_email": INTERNAL_EMAIL,
        "email": "alice@alice-startup.com",
    }
    return Identity(**(known | changes)).bound


@pytest.mark.parametrize("content", [ANSWER, b"", b"\0", bytes(range(256)) * 257], ids=["answer", "none", "0", "64 KB"])
def test_what_is_sealed_opens_again(content: bytes) -> None:
    """Any content comes back as it was, also with a seal that was made anew from the same key."""
    sealed = _seal().seal(content, ALICE)
    assert _seal().open(sealed, ALICE) == content
    assert len(sealed) == len(content) + OVERHEAD


@pytest.mark.parametrize(
    "identity",
    [
        _other(base_url="https://api.openfunnel.de"),
        _other(user_id="eve@orchestrator.com"),
        _other(internal_email="bob@orchestrator.com"),
        _other(email="alice@another-startup.com"),
        ALICE[:-1],
        b"",
    ],
    ids=["base URL", "orchestrator", "internal email", "email", "cut", "none"],
)
def test_it_opens_for_nobody_else(identity: bytes) -> None:
    """What was sealed for one identity is not another's, whatever part of it differs."""
    assert _seal().open(_seal().seal(ANSWER, ALICE), identity) is None


def test_identities_do_not_run_into_each_other() -> None:
    """A character that moves from one field of an identity to the next makes it another identity."""
    assert Identity("u", "a", "bc", "d").bound != Identity("u", "ab", "c", "d").bound
    assert Identity("u", 'a", "b', "c", "d").bound != Identity("u", "a", 'b", "c', "d").bound


@pytest.mark.parametrize(
    "secret",
    [b"of_provisioner_0123456780", PROVISIONER_KEY.encode() + b"\n", LEDGER_KEY, b""],
    ids=["last character", "line break", "ledger key", "none"],
)
def test_it_opens_with_no_other_key(secret: bytes) -> None:
    """Another key opens nothing, however near it is."""
    assert Seal(secret).open(_seal().seal(ANSWER, ALICE), ALICE) is None


def test_a_change_of_any_byte_shows() -> None:
    """Salt, nonce, content and tag: one flipped bit anywhere, and nothing opens."""
    sealed = _seal().seal(b"short", ALICE)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert _seal().open(bytes(changed), ALICE) is None, at


def test_a_cut_shows() -> None:
    """What was cut at any place does not open, nor what grew, and neither fails otherwise."""
    sealed = _seal().seal(b"short", ALICE)
    for length in range(len(sealed)):
        assert _seal().open(sealed[:length], ALICE) is None, length
    assert _seal().open(sealed[1:], ALICE) is None
    assert _seal().open(sealed + b"\0", ALICE) is None


def test_salt_and_nonce_are_fresh_each_time() -> None:
    """The same content, sealed again, shares neither salt, nonce nor content with the first time."""
    seal = _seal()
    sealed = [seal.seal(ANSWER, ALICE) for _ in range(50)]
    assert len({one[:16] for one in sealed}) == len({one[16:28] for one in sealed}) == 50
    assert len({one[28:] for one in sealed}) == 50


def test_a_sealed_answer_shows_nothing() -> None:
    """Neither the user's key nor the address nor the sealing key can be read in what is kept."""
    sealed = _seal().seal(ANSWER, ALICE)
    assert not any(text.encode() in sealed for text in (USER_KEY, INTERNAL_EMAIL, PROVISIONER_KEY, "api_key"))


def test_a_key_id_is_stable() -> None:
    """The same key has the same id in every version of this package, because ledgers name it."""
    assert _seal().key_id == _seal().key_id == "a5a544841b7bcaca"  # HKDF-SHA256 by hand, with hmac alone
    assert Seal(LEDGER_KEY).key_id == "c452bd64f9378962"


def test_a_key_id_gives_no_key_away() -> None:
    """It is short, differs from key to key, and has nothing of the key in it."""
    ids = {Seal(f"{PROVISIONER_KEY}{number}".encode()).key_id for number in range(100)}
    assert len(ids) == 100
    assert all(len(key_id) == 16 for key_id in ids)
    assert not any(part in _seal().key_id for part in (PROVISIONER_KEY, PROVISIONER_KEY.encode().hex()[:8]))


@pytest.mark.parametrize("secret", [PROVISIONER_KEY.encode(), LEDGER_KEY], ids=["provisioner key", "ledger key"])
def test_a_seal_shows_its_id_alone(secret: bytes) -> None:
    """Neither repr nor str of a seal shows the key in any spelling."""
    seal = Seal(secret)
    assert repr(seal) == str(seal) == f"Seal({seal.key_id})"
    shown = f"{seal!r} {[seal]} {seal}"
    spelled = (secret.decode("latin-1"), repr(secret), secret.hex(), base64.b64encode(secret).decode())
    assert not any(text in shown for text in spelled)


@pytest.mark.parametrize(
    ("ledger_key", "api_key", "expected"),
    [
        (LEDGER_KEY, PROVISIONER_KEY, [LEDGER_KEY, PROVISIONER_KEY.encode()]),
        (LEDGER_KEY, None, [LEDGER_KEY]),
        (None, PROVISIONER_KEY, [PROVISIONER_KEY.encode()]),
        (None, None, []),
    ],
    ids=["both", "ledger key", "provisioner key", "none"],
)
def test_the_ledgers_own_key_comes_first(ledger_key: bytes | None, api_key: str | None, expected: list[bytes]) -> None:
    """The ledger's own key seals where there is one, else the provisioner key; both open."""
    assert [seal.key_id for seal in seals(ledger_key, api_key)] == [Seal(secret).key_id for secret in expected]
