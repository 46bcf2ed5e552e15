"""A roster's addresses, as its program gives them."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from pulumi_openfunnel.program import inputs

EMAILS = ["alice@a.com", "bob@b.com"]


def test_addresses_are_sorted_and_each_is_there_once() -> None:
    """Whatever their case, white space and order."""
    assert inputs.checked("team", [" Bob@B.com\n", "alice@a.com", "ALICE@a.com"]) == EMAILS


@pytest.mark.parametrize("emails", ["alice@a.com", {"alice@a.com"}, 7, None])
def test_what_is_no_list(emails: Any) -> None:
    """Is said to be none; a single address is none either."""
    with pytest.raises(pulumi.RunError, match=r"^team: emails is no list of addresses\.$"):
        inputs.checked("team", emails)


def test_a_mapping_by_address_is_spelled_as_the_roster_is() -> None:
    """The same value twice is no contradiction."""
    given = {"Alice@A.com": "boss", " alice@a.com": "boss"}
    assert inputs.respelled("team", "prefixes", given, EMAILS) == {"alice@a.com": "boss"}
    assert inputs.respelled("team", "prefixes", None, EMAILS) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"carol@c.com": "of_carol"}, "team: existing_api_keys names carol@c.com, not in emails."),
        (
            {"Bob@b.com": "of_bob", "bob@b.com": "of_robert"},
            "team: existing_api_keys names bob@b.com twice, and differently.",
        ),
        (["of_bob"], "team: existing_api_keys is no mapping by address."),
        ({"bob@b.com": None}, "team: existing_api_keys gives bob@b.com something that is not text."),
    ],
    ids=["strange", "twice", "no mapping", "no text"],
)
def test_a_mapping_that_does_not_fit(given: Any, message: str) -> None:
    """Fails in one line that shows no value."""
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}$"):
        inputs.respelled("team", "existing_api_keys", given, EMAILS)
