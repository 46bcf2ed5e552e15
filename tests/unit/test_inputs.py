"""A roster's addresses, as its program gives them: by an id, or alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from pulumi_openfunnel.program import inputs
from pulumi_openfunnel.program.inputs import ByAddress, Given

EMAILS = ["alice@a.com", "bob@b.com"]
BY_ID = {"cust-1": "alice@a.com", "cust-2": "bob@b.com"}


class Series:
    """What pandas hands over: an iterable that is neither a sequence nor a mapping."""

    def __init__(self, *values: object) -> None:
        self._values = values

    def __iter__(self) -> Iterator[object]:
        return iter(self._values)


def _document(emails: Any) -> Any:
    document = Given("team", emails).document
    assert isinstance(document, str)
    return json.loads(document)


@pytest.mark.parametrize(
    "emails",
    [
        EMAILS,
        tuple(EMAILS),
        dict.fromkeys(EMAILS).keys(),
        dict(enumerate(EMAILS)).values(),
        (email for email in EMAILS),
        Series(*EMAILS),
    ],
    ids=lambda emails: type(emails).__name__,
)
def test_any_iterable_of_addresses(emails: Any) -> None:
    """Is a list of them, whose ids are the addresses."""
    given = Given("team", emails)
    assert (given.by_id, list(given.known_ids)) == (False, EMAILS)
    assert json.loads(str(given.document)) == EMAILS


def test_a_set_of_addresses() -> None:
    """Has no order, and needs none."""
    assert sorted(_document(set(EMAILS))) == EMAILS


def test_ids_are_text() -> None:
    """An integer is taken as text, and found as either."""
    given = Given("team", {17: "alice@a.com", "cust-2": "bob@b.com"})
    assert list(given.known_ids) == ["17", "cust-2"]
    assert given.id_of(17) == given.id_of("17") == "17"
    assert json.loads(str(given.document)) == {"17": "alice@a.com", "cust-2": "bob@b.com"}


def test_nobody_is_a_roster_as_well() -> None:
    """A guard against that is the provider's, which knows who was there."""
    assert _document([]) == []
    assert _document({}) == {}
    assert list(Given("team", iter(())).known_ids) == []


def test_addresses_that_are_outputs_are_left_open() -> None:
    """By id, or by position; the others are known."""
    late = pulumi.Output.from_input("bob@b.com")
    given = Given("team", BY_ID | {"cust-2": late})
    assert given.late == {"cust-2": late}
    assert json.loads(str(given.document)) == {"cust-1": "alice@a.com", "cust-2": None}
    assert list(given.known_ids) == ["cust-1", "cust-2"]
    given = Given("team", ["alice@a.com", late])
    assert given.late == {"1": late}
    assert json.loads(str(given.document)) == ["alice@a.com", None]


@pytest.mark.parametrize(
    ("emails", "what"),
    [
        (pulumi.Output.from_input(EMAILS), "emails is an Output"),
        ([pulumi.Output.from_input("bob@b.com")], "an address in emails is an Output"),
    ],
    ids=["all", "one"],
)
def test_ids_that_the_program_does_not_know(emails: Any, what: str) -> None:
    """To ask for them is a TypeError that says so."""
    message = f"team: {what}, so the program does not know whose users there are. Use users.apply."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        _ = Given("team", emails).known_ids


@pytest.mark.parametrize("emails", ["alice@a.com", b"alice@a.com", 7, None, 7.5], ids=repr)
def test_what_is_no_roster(emails: Any) -> None:
    """A single address is none either, nor is a letter of it an address."""
    message = "team: emails is neither a mapping from ids to addresses nor an iterable of addresses."
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}$"):
        Given("team", emails)


ADVICE = "Give addresses such as bob@b.com."


@pytest.mark.parametrize(
    ("emails", "message"),
    [
        (["alice@a.com", None], f"team: entry 1 is None. {ADVICE}"),
        ({"cust-1": None, "cust-2": "bob@b.com"}, f"team: cust-1 is None. {ADVICE}"),
        (Series("alice@a.com", float("nan")), f"team: entry 1 is NaN. {ADVICE}"),
        ({7: float("nan")}, f"team: 7 is NaN. {ADVICE}"),
        (["", "bob@b.com", " \n"], f"team: entry 0 is empty; entry 2 is empty. {ADVICE}"),
        ({"cust-1": ""}, f"team: cust-1 is empty. {ADVICE}"),
        ([b"alice@a.com"], f"team: entry 0 is bytes, not text. {ADVICE}"),
        ([["alice@a.com"], 7], f"team: entry 0 is list, not text; entry 1 is int, not text. {ADVICE}"),
        (
            [None] * 12,
            f"team: {'; '.join(f'entry {n} is None' for n in range(10))} and 2 more. {ADVICE}",
        ),
        ({1: "a@x.com", "1": "b@x.com"}, "team: emails has the id 1 twice, as text and as an integer."),
        ({None: "a@x.com"}, "team: emails has an id that is not text or an integer: None."),
        ({1.0: "a@x.com"}, "team: emails has an id that is not text or an integer: 1.0."),
        ({True: "a@x.com"}, "team: emails has an id that is not text or an integer: True."),
        ({" ": "a@x.com"}, "team: emails has an id that is not text or an integer: ' '."),
        ({b"cust-1": "a@x.com"}, "team: emails has an id that is not text or an integer: b'cust-1'."),
        ({("a" * 200,): "a@x.com"}, f"team: emails has an id that is not text or an integer: ('{'a' * 78}."),
    ],
    ids=str,
)
def test_a_wrong_entry_is_named(emails: Any, message: str) -> None:
    """By its id, or by its position; at most ten of them; no longer than a line."""
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}$"):
        Given("team", emails)


@pytest.mark.parametrize("key", ["alice@a.com", "Alice@A.com", " ALICE@a.com\n"])
def test_an_address_is_found_in_any_spelling(key: str) -> None:
    """With a list, in what a program reads inside an apply as well."""
    given = Given("team", EMAILS)
    assert given.id_of(key) == "alice@a.com"
    values = given.keyed({"alice@a.com": 1})
    assert (values[key], values.get(key), key in values) == (1, 1, True)
    assert dict(values) == {"alice@a.com": 1}


def test_an_id_is_found_as_it_is() -> None:
    """It is the program's own, also where it looks like an address."""
    given = Given("team", {"Alice@A.com": "alice@a.com"})
    assert given.id_of("Alice@A.com") == "Alice@A.com"
    assert "alice@a.com" not in given.keyed({"Alice@A.com": 1})


def test_what_is_not_there_is_not_found() -> None:
    """As in any mapping."""
    values = ByAddress({"alice@a.com": 1, "Cust-1@X": 2})
    assert values["Cust-1@X"] == 2
    assert values.get("bob@b.com", 3) == 3
    assert "bob@b.com" not in values
    with pytest.raises(KeyError, match=r"bob@b\.com"):
        values["bob@b.com"]


def test_an_id_that_may_be_an_address_is_found_exactly_first() -> None:
    """Where the program does not know whether the Output holds a mapping or a list."""
    values = Given("team", pulumi.Output.from_input(BY_ID)).keyed({"Alice@A.com": 1, "bob@b.com": 2})
    assert values["Alice@A.com"] == 1
    assert values["Bob@B.com"] == 2
    assert ("Alice@A.com" in values, "Bob@B.com" in values, "alice@a.com" in values) == (True, True, False)


def test_a_mapping_by_address_is_spelled_as_the_roster_is() -> None:
    """The same value twice is no contradiction."""
    given = {"Alice@A.com": "boss", " alice@a.com": "boss"}
    assert inputs.by_id(Given("team", EMAILS), "prefixes", given, EMAILS) == {"alice@a.com": "boss"}


@pytest.mark.parametrize(
    ("emails", "given", "message"),
    [
        (EMAILS, {"carol@c.com": "of_carol"}, "team: existing_api_keys names carol@c.com, not in emails."),
        (BY_ID, {"Cust-1": "of_alice"}, "team: existing_api_keys names Cust-1, not in emails."),
        (
            EMAILS,
            {"Bob@b.com": "of_bob", "bob@b.com": "of_robert"},
            "team: existing_api_keys names bob@b.com twice, and differently.",
        ),
        (EMAILS, ["of_bob"], "team: existing_api_keys is not a mapping by address."),
        (BY_ID, "of_bob", "team: existing_api_keys is not a mapping by id."),
        (BY_ID, {"cust-2": 7}, "team: existing_api_keys gives cust-2 something that is not text."),
    ],
    ids=["strange address", "strange id", "twice", "list", "text", "no text"],
)
def test_a_mapping_that_does_not_fit(emails: Any, given: Any, message: str) -> None:
    """Fails in one line that shows no value."""
    roster = Given("team", emails)
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}$"):
        inputs.by_id(roster, "existing_api_keys", given, roster.known_ids)


def test_secret_addresses_are_counted() -> None:
    """Where the ids are addresses that no message may show."""
    given = Given("team", EMAILS)
    for keys, message in (
        ({"carol@c.com": "of_carol"}, "team: existing_api_keys names 1 of its addresses, not in emails."),
        ({"bob@b.com": 7}, "team: existing_api_keys gives 1 of its addresses something that is not text."),
        (
            {"Bob@b.com": "of_bob", "bob@b.com": "of_robert"},
            "team: existing_api_keys names 1 of its addresses twice, and differently.",
        ),
    ):
        with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}$"):
            inputs.by_id(given, "existing_api_keys", keys, EMAILS, hidden=True)


def test_a_key_of_none_is_left_out() -> None:
    """As when a cell of a table is empty."""
    assert inputs.by_id(Given("team", BY_ID), "existing_api_keys", {"cust-1": None}, BY_ID) == {}


def test_what_is_missing_is_named_beside_what_is_near() -> None:
    """In one line."""
    assert inputs.missing("team", "cust-11", ["cust-1", "other"]) == "cust-11 is not in the roster team; near: cust-1"
    assert inputs.missing("team", "x", ["cust-1"]) == "x is not in the roster team"
