"""The members that a program declares, and who may not be one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pulumi_openfunnel.errors import InvalidInput
from pulumi_openfunnel.provisioning.declared import Declared, check_takeovers, declared
from pulumi_openfunnel.provisioning.placement import Member, match

DOMAIN = "orchestrator.com"
ADVICE = "Give one address, such as bob@b.com."


def _declared(emails: Any, **inputs: Any) -> Declared:
    return declared({"roster": "team", "emails": emails} | inputs, DOMAIN)


def _refused(emails: Any, **inputs: Any) -> str:
    """The line that refuses them."""
    with pytest.raises(InvalidInput) as caught:
        _declared(emails, **inputs)
    assert str(caught.value).isprintable()
    return str(caught.value)


def _users(found: Declared) -> dict[str, tuple[str, str]]:
    return {id_: (member.email, member.internal_email) for id_, member in found.members.items()}


def test_a_mapping_is_by_id() -> None:
    """Addresses in their one spelling; prefixes and aliases by the same ids."""
    found = _declared(
        {"cust-1": " Alice@A.com", "cust-2": "bob@b.com"}, prefixes={"cust-2": "Boss"}, aliases={"cust-1": "cust-0"}
    )
    assert _users(found) == {
        "cust-1": ("alice@a.com", "alice@orchestrator.com"),
        "cust-2": ("bob@b.com", "boss@orchestrator.com"),
    }
    assert found.members["cust-1"].alias == "cust-0"
    assert found.names == {"cust-1": "cust-1 (alice@a.com)", "cust-2": "cust-2 (bob@b.com)"}


def test_a_list_is_by_address() -> None:
    """Each address once, in any spelling, also in what else is given by address."""
    found = _declared(
        ["Alice@A.com", "bob@b.com", "alice@a.com"],
        prefixes={"BOB@b.com": "boss"},
        aliases={"bob@B.com": "old@b.com"},
        email_mapping="subaddress",
    )
    assert _users(found) == {
        "alice@a.com": ("alice@a.com", "alice+a.com@orchestrator.com"),
        "bob@b.com": ("bob@b.com", "boss@orchestrator.com"),
    }
    assert found.members["bob@b.com"].alias == "old@b.com"


@pytest.mark.parametrize("emails", [None, [], {}])
def test_nobody(emails: Any) -> None:
    """Is nobody."""
    assert _users(_declared(emails)) == {}


def test_addresses_that_are_not_known_yet_are_counted() -> None:
    """The others are known; what has become known stands beside the document."""
    found = _declared({"a": "alice@a.com", "b": None, "c": None}, late_emails={"b": "bob@b.com", "c": None})
    assert (list(found.members), found.late) == (["a", "b"], ["c"])
    found = _declared(["alice@a.com", None], late_emails={"1": "Bob@b.com"})
    assert (list(found.members), found.late) == (["alice@a.com", "bob@b.com"], [])


@pytest.mark.parametrize(
    ("emails", "may_be"),
    [
        ({"cust-1": "info@a.com", "cust-2": None}, {"cust-2"}),
        ({"cust-1": "info@a.com", "cust-9": None}, set()),
        (["info@a.com", None], {"cust-2", "cust-3"}),
        ({"cust-1": "info@a.com"}, set()),
        (["info@a.com"], set()),
    ],
    ids=["by id", "a new one", "a list", "all known", "a list, all known"],
)
def test_who_may_have_an_address_that_is_not_known_yet(emails: Any, may_be: set[str]) -> None:
    """With ids it is known who; with a list, whoever is not declared otherwise."""
    olds = _olds(cust_1="info@a.com", cust_2="x@b.com", cust_3="y@b.com")
    found = _declared(emails)
    assert found.may_be_late(olds, match(olds, found.members)) == may_be


def test_wrong_addresses_are_named_by_their_ids() -> None:
    """At most five of them, and how many more there are; the advice once."""
    assert _refused({"cust-1": "bob@@b.com", "cust-2": "x@b.com", "cust-3": "nobody"}) == (
        'team: cust-1: email "bob@@b.com": more than one @. cust-3: email "nobody": not an address. An email address must '
        f"have an @-sign. {ADVICE}"
    )
    message = _refused({f"cust-{n}": f"user{n}@@a.com" for n in range(8)})
    assert message.count("more than one @") == 5
    assert message.endswith(f"And 3 more. {ADVICE}")


def test_wrong_addresses_of_a_list_speak_for_themselves() -> None:
    """Their positions say nothing that they do not."""
    assert _refused(["x@b.com", "bob@@b.com"]) == f'team: email "bob@@b.com": more than one @. {ADVICE}'


def test_a_prefix_that_cannot_be_names_its_member() -> None:
    """Of many, a line that does not say whose it is would be no help."""
    assert _refused({"cust-1": "a@x.com", "cust-2": "b@x.com"}, prefixes={"cust-2": "a@b"}) == (
        'team: cust-2 (b@x.com): prefix "a@b": an @ in it; it is only what stands before the @. Set another prefix.'
    )


@pytest.mark.parametrize("emails", [{"cust-1": "a@x.com", "cust-2": None}, ["a@x.com", "cust-2@x.com"]])
def test_a_prefix_of_nobody_is_refused(emails: Any) -> None:
    """A slip of the pen would ask for another user; one whose address is not known yet may have a prefix."""
    own = {"cust-2": "b"} if isinstance(emails, dict) else {"Cust-2@x.com": "b"}
    _declared(emails, prefixes=own)
    assert _refused(emails, prefixes=own | {"cust-3": "c"}) == "team: prefixes names cust-3, not in emails."
    assert _refused(emails, prefixes=own | {"x@y.com": "c"}, secret=True) == "team: prefixes names 1, not in emails."
    _declared(["a@x.com", None], prefixes={"x@y.com": "c"})


def test_what_is_wrong_for_all_is_said_once() -> None:
    """An unknown mapping is one sentence."""
    for secret in (None, True):
        assert _refused(["a@x.com", "b@x.com"], email_mapping="foo", secret=secret) == (
            'team: email_mapping "foo": unknown. Give "prefix" or "subaddress".'
        )


def test_the_same_address_under_two_ids() -> None:
    """Is one customer twice: neither a prefix nor a mapping would help."""
    assert _refused({"cust-1": "alice@a.com", "cust-9": "Alice@A.com"}) == (
        "team: cust-1 and cust-9 are the same address (alice@a.com). Remove one."
    )


def test_two_addresses_with_one_internal_email() -> None:
    """Are two customers: the line names both and what to set."""
    assert _refused({"cust-1": "info@a.com", "cust-2": "info@b.com"}) == (
        "team: cust-1 (info@a.com) and cust-2 (info@b.com) both map to info@orchestrator.com. "
        'Set prefixes for one, or email_mapping="subaddress".'
    )
    assert _refused(["info@a.com", "info@b.com"]).startswith("team: info@a.com and info@b.com both map to info@")
    assert _refused(["a@a.com", "b@b.com"], prefixes={"b@b.com": "a"}).startswith("team: a@a.com and b@b.com both map")


@pytest.mark.parametrize(
    ("emails", "message"),
    [
        ({"cust-1": "secret@@a.com"}, f"team: cust-1: its address cannot be used. {ADVICE}"),
        (["ok@a.com", "secret@@a.com"], f"team: entry 1: its address cannot be used. {ADVICE}"),
        (
            {"cust-1": "secret@a.com", "cust-2": "secret@a.com"},
            "team: cust-1 and cust-2 are the same address. Remove one.",
        ),
        (
            ["secret@a.com", "secret@b.com"],
            'team: entry 0 and entry 1 both map to one internal email. Set prefixes for one, or email_mapping="subaddress".',
        ),
    ],
    ids=["wrong", "wrong in a list", "the same", "one user"],
)
def test_secret_addresses_are_in_no_message(emails: Any, message: str) -> None:
    """The id, or the position, stands for them."""
    assert _refused(emails, secret=True) == message


def test_a_secret_address_without_an_internal_email_is_in_no_message() -> None:
    """As one that would be too long."""
    emails = {"cust-1": f"x@{'secret' * 8}.{'secret' * 8}.com"}
    assert _refused(emails, secret=True, email_mapping="subaddress") == (
        'team: cust-1: its internal email cannot be used. Set prefix, or email_mapping="prefix".'
    )


def _taken(olds: dict[str, Member], emails: Any, **inputs: Any) -> str | None:
    """The line that refuses a member whose user another one holds."""
    found = _declared(emails, **inputs)
    try:
        check_takeovers(found, olds, match(olds, found.members))
    except InvalidInput as error:
        return str(error)
    return None


def _olds(**by_id: str) -> dict[str, Member]:
    return {id_.replace("_", "-"): Member(email, f"{email.partition('@')[0]}@{DOMAIN}") for id_, email in by_id.items()}


@pytest.mark.parametrize(
    ("olds", "emails", "inputs"),
    [
        (_olds(), {"cust-1": "info@b.com"}, {}),
        (_olds(cust_1="info@a.com"), {"cust-1": "info@a.com"}, {}),
        (_olds(cust_1="info@a.com"), {"cust-1": "info@b.com"}, {}),
        (_olds(cust_1="info@a.com"), {"cust-9": "info@a.com"}, {}),
        (_olds(cust_1="info@a.com"), {"cust-9": "info@b.com"}, {"aliases": {"cust-9": "cust-1"}}),
        (_olds(cust_1="info@a.com"), {"cust-9": "info@b.com"}, {"prefixes": {"cust-9": "b"}}),
        (_olds(cust_1="info@a.com"), {"cust-9": "info@b.com"}, {"email_mapping": "subaddress"}),
        (_olds(cust_1="info@a.com", cust_2="x@b.com"), {"cust-1": "x@b.com", "cust-2": "info@a.com"}, {}),
        (_olds(cust_1="info@a.com"), {"cust-1": "other@a.com"}, {}),
    ],
    ids=[
        "first",
        "unchanged",
        "another company",
        "another id",
        "alias",
        "prefix",
        "mapping",
        "swap",
        "another user",
    ],
)
def test_who_may_be(olds: dict[str, Member], emails: Any, inputs: dict[str, Any]) -> None:
    """The same customer keeps its user, under whatever id; another one has a user of its own."""
    assert _taken(olds, emails, **inputs) is None


def test_a_user_that_another_customer_leaves_behind_is_refused() -> None:
    """Whoever leaves in the same update still has a key that works: the ways out in this order."""
    assert _taken(_olds(cust_1="info@a.com"), {"cust-2": "info@b.com"}) == (
        "team: cust-2 (info@b.com) is new, and info@orchestrator.com is the user of cust-1 (info@a.com). For the same "
        "customer, set aliases; for another one, set prefixes={'cust-2': ...}."
    )
    assert _taken(_olds(**{"info@a.com": "info@a.com"}), ["info@b.com"]) == (
        "team: info@b.com is new, and info@orchestrator.com is the user of info@a.com. For the same customer, set aliases; "
        "for another one, set prefixes={'info@b.com': ...}."
    )


def test_a_member_that_moves_to_anothers_user_is_refused() -> None:
    """Also where the other one moves away in the same update, and so in a ring."""
    olds = _olds(cust_1="info@a.com", cust_2="sales@b.com")
    message = _taken(olds, {"cust-1": "sales@a.com", "cust-2": "info@b.com"})
    assert message is not None
    assert "sales@orchestrator.com is the user of cust-2 (sales@b.com)" in message
    assert "info@orchestrator.com is the user of cust-1 (info@a.com)" in message


def test_an_alias_that_would_not_keep_its_user_is_refused() -> None:
    """With the prefix that keeps it."""
    olds = _olds(cust_1="guy@a.com")
    assert _taken(olds, {"cust-2": "gil@b.com"}, aliases={"cust-2": "cust-1"}) == (
        "team: cust-2 (gil@b.com): aliases keeps guy@orchestrator.com, but the address maps to another one. Set "
        "prefixes={'cust-2': 'guy'}."
    )
    assert _taken(olds, {"cust-2": "gil@b.com"}, aliases={"cust-2": "cust-1"}, prefixes={"cust-2": "guy"}) is None


@pytest.mark.parametrize("emails", [{"cust-2": "info@b.com"}, ["info@b.com"]])
def test_a_takeover_of_a_secret_address_shows_none(emails: Any) -> None:
    """Ids that are not addresses are shown, so that somebody can do something about it."""
    olds = _olds(cust_1="info@a.com")
    message = _taken(olds, emails, secret=True)
    assert message is not None
    assert re.search(r"info|@", message) is None
    assert "cust-1" in message


def test_a_takeover_within_a_secret_list_shows_none() -> None:
    """There the ids are the addresses, and the position stands for one, nothing for the other."""
    assert _taken(_olds(**{"info@a.com": "info@a.com"}), ["info@b.com"], secret=True) == (
        "team: entry 0 is new, and its user is the user of another member. For the same customer, set aliases; for another "
        "one, set prefixes."
    )
