"""The ledger's documents as JSON: what is written is read again, and whatever else lies there is told in one line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.codec import decode, encode
from pulumi_openfunnel.ledger.documents import (
    Answer,
    Attempt,
    Claim,
    Moved,
    Run,
    State,
    Stored,
    User,
    fingerprint,
    key_name,
)

from ..servers import USER_KEY
from .rules import ALICE, BOB

ATTEMPT = Attempt(
    id="a1",
    run="r1",
    user_id=ALICE.user_id,
    email=ALICE.email,
    state=State.OPEN,
    created=1.5,
    changed=2.5,
    answer="a1",
)
USER = User(
    name=ALICE.name,
    nonce="n",
    base_url=ALICE.base_url,
    internal_email=ALICE.internal_email,
    email=ALICE.email,
    left=True,
    attempts=(ATTEMPT, replace(ATTEMPT, id="a2", answer="a3", state=State.UNUSED, problem="no")),
    dead=("keys/1",),
)
DOCUMENTS: list[Stored] = [
    USER,
    User(name=ALICE.name, nonce="n"),
    Answer(name="answers/a1", nonce="n", key_id="k", sealed=bytes(range(256)), whole=True, kept=3.5),
    Claim(name=key_name(USER_KEY), nonce="n", fingerprint="f", holders=((ALICE.name, "a1"), (BOB.name, "b1"))),
    Run(name="runs/r1", nonce="n", host="ci-7", process="123", job=""),
    Moved(name="moved", nonce="n", to="s3://bucket/ledger", done=True),
]
_IDS = [f"{type(document).__name__}{number}" for number, document in enumerate(DOCUMENTS)]


def _problem(document: Stored, body: bytes, name: str | None = None) -> str:
    with pytest.raises(LedgerUnusable) as caught:
        decode(type(document), name or document.name, body, "s3://bucket/ledger")
    assert str(caught.value).startswith("The ledger s3://bucket/ledger ")
    assert str(caught.value).isprintable()
    assert not caught.value.transient
    return str(caught.value)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_IDS)
class TestEachKind:
    """What holds for every document."""

    def test_it_is_read_as_it_was_written(self, document: Stored) -> None:
        """Nothing is lost on the way."""
        assert decode(type(document), document.name, encode(document), "here") == document

    def test_it_says_its_format_and_name(self, document: Stored) -> None:
        """The format is 1."""
        told = json.loads(encode(document))
        assert (told["format"], told["name"]) == (1, document.name)

    def test_a_newer_format_is_told(self, document: Stored) -> None:
        """Whatever else it holds, with the command that helps."""
        said = _problem(document, json.dumps({"format": 2, "name": document.name, "what": []}).encode())
        assert said.endswith("newer version of pulumi-openfunnel wrote. Run: pip install --upgrade pulumi-openfunnel.")

    def test_a_cut_is_told(self, document: Stored) -> None:
        """Wherever it ends."""
        body = encode(document)
        for length in range(len(body)):
            assert f"holds a damaged document, {document.name}" in _problem(document, body[:length])

    def test_damage_is_told(self, document: Stored) -> None:
        """A field that is missing, is one too many, or has another type; and what is no document at all."""
        told = json.loads(encode(document))
        wrong: list[object] = [{**told, "more": 1}, {**told, "nonce": None}, [], None, 7, "x", {}, {"format": "1"}]
        wrong += [{name: value for name, value in told.items() if name != missing} for missing in told]
        wrong += [{**told, name: {"a": True}} for name in told]
        for one in wrong:
            assert "holds a" in _problem(document, json.dumps(one).encode())
        assert "damaged" in _problem(document, b"\xff\xfe")
        assert "damaged" in _problem(document, b"[" * 100_000)

    def test_one_in_anothers_place_is_told(self, document: Stored) -> None:
        """A document says which name it lies under."""
        assert "holds another document in the place of other/name" in _problem(document, encode(document), "other/name")


def test_an_edited_user_is_told() -> None:
    """A user's document whose internal email was changed does not fit its name."""
    body = encode(replace(USER, internal_email=BOB.internal_email))
    assert "holds another document in the place of" in _problem(USER, body)


@pytest.mark.parametrize("sealed", ["no base64!", "AA", 7, None])
def test_an_answer_that_is_no_base64_is_damaged(sealed: object) -> None:
    """What is sealed is text of one kind."""
    told = json.loads(encode(DOCUMENTS[2])) | {"sealed": sealed}
    assert "damaged" in _problem(DOCUMENTS[2], json.dumps(told).encode())


def test_nothing_shows_what_is_sealed() -> None:
    """Neither ``repr`` of an answer nor the name of a key's document gives a key away."""
    answer = Answer(name="answers/a1", key_id="k", sealed=b"sealed bytes", whole=True, kept=0.0)
    assert "sealed bytes" not in repr(answer)
    assert USER_KEY not in key_name(USER_KEY)
    assert fingerprint(USER_KEY) == "c7785caa04caacfa"
    assert fingerprint(USER_KEY) not in key_name(USER_KEY)


def test_names_are_stable() -> None:
    """Every version of this package finds the documents of the others."""
    assert ALICE.name == "users/a1d2a41a292afe09072b8ae84b715e7053b7e07ac181e91d00706a7c7dd2b608"
    assert key_name(USER_KEY) == "keys/84c4b58de1a42f1095fc1cc748344eebeaddeb1de7f7595f777a9c83adac6994"
