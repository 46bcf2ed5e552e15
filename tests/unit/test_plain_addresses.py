"""Addresses that are read without the validator: they are what it would have made of them, or refused."""

from __future__ import annotations

import email_validator
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_openfunnel import emails
from pulumi_openfunnel.emails import Address
from pulumi_openfunnel.errors import InvalidInput

ENDINGS = ("com", "COM", "io", "museum", "x", "c0m", "a-b", "test", "local", "arpa", "invalid", "onion", "example")
EDGES = [
    "a" * 64 + "@b.com",
    "a" * 65 + "@b.com",
    "a@" + "b" * 63 + ".com",
    "a@" + "b" * 64 + ".com",
    "a@" + ".".join(["b" * 60] * 3) + ".com",
    "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".com",
    "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".community",
    "a@" + ".".join(["b" * 62] * 4) + ".com",
    "a@b." + "c" * 24,
    "a@b." + "c" * 25,
    "a@b." + "c" * 63,
    "a@b." + "c" * 64,
    "a@ab--c.com",
    "a@a--b.com",
    "a@xn--a.com",
    "a@xn--bcher-kva.de",
    "a@b.xn--p1ai",
    "a@-b.com",
    "a@b-.com",
    "a@b.c-",
    "a@b..com",
    ".a@b.com",
    "a.@b.com",
    "a..b@b.com",
    "+@b.com",
    "a@1.2.3.4",
    "a@b.com\n",
    " \ta@b.com",
    "a@b.com.",
    "a@b\n.com",
    "a@localhost",
    "a@test",
    "a@b.localhost",
    "a@test.com",
]

_PLAIN = "abcxyz019"
_WORDS = st.text(_PLAIN + "AZ", min_size=1, max_size=8)
_LOCALS = st.one_of(
    *[_WORDS] * 3,
    st.text(_PLAIN + "_+-", min_size=1, max_size=8),
    st.text("ab0._+-'!\" ", max_size=6),
    st.integers(62, 66).map("a".__mul__),
)
_LABELS = st.one_of(
    *[_WORDS] * 6,
    st.text(_PLAIN + "-", min_size=1, max_size=8),
    st.text("abxn0-_. ", max_size=6),
    st.sampled_from(["xn--a", "XN--bcher-kva", "ab--c", "b--", "--b"]),
    st.integers(61, 65).map("b".__mul__),
)
_ENDINGS = st.one_of(st.sampled_from(ENDINGS), st.text("abc0-", max_size=26))
_ATS = st.sampled_from(["@"] * 9 + ["", "@@"])
_DOMAINS = st.lists(_LABELS, min_size=1, max_size=3).map(".".join)
_ADDRESSES = st.builds("{}{}{}.{}".format, _LOCALS, _ATS, _DOMAINS, _ENDINGS)


def _validated(text: str) -> Address | None:
    """What the validator makes of a text."""
    try:
        found = email_validator.validate_email(
            text.strip(), check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except email_validator.EmailSyntaxError:
        return None
    domain = found.domain.lower()
    return Address(found.local_part.lower(), domain, (found.ascii_domain or domain).lower())


def _parsed(text: str) -> Address | None:
    try:
        return emails.parse(text)
    except InvalidInput:
        return None


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(_ADDRESSES)
def test_whatever_is_written_is_read_as_the_validator_reads_it(text: str) -> None:
    """The same address in the same spelling, or refused by both."""
    assert _parsed(text) == _validated(text)


@pytest.mark.parametrize("text", EDGES, ids=lambda text: ascii(text)[:30])
def test_so_is_what_is_just_long_or_odd_enough(text: str) -> None:
    """At each limit of what needs no validator, the result is the validator's."""
    assert _parsed(text) == _validated(text)


def test_the_usual_address_needs_no_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most addresses are read without it, which is what makes thousands of them quick."""
    monkeypatch.setattr(email_validator, "validate_email", None)
    for text in ("alice@a.com", " Bob.Smith+x@Mail.B-C.co.uk\n", "a_b@x1.io"):
        assert str(emails.parse(text)) == text.strip().lower()
