"""The verbs of a roster's members, over gRPC: who they are, where they are, what is said of a change, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.rpc import UNKNOWN

from pulumi_openfunnel.schema import shard_of

from ..provider_process import Provider, Start
from ..servers import ORCHESTRATOR
from .documents import members_of

EMAILS = {"cust-1": "alice@a.com", "cust-2": "bob@b.com"}


@pytest.fixture
def members(start: Start) -> Provider:
    """A provider process of a members resource; it has no ledger yet, and nobody to ask."""
    return members_of(start)


@pytest.fixture
def later(start: Start) -> Provider:
    return members_of(start)


def checked(members: Provider, olds: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    checked, failures = members.check({"roster": "team", "emails": EMAILS} | inputs, olds)
    assert failures == []
    return checked


def refused(members: Provider, olds: dict[str, Any] | None = None, **inputs: Any) -> str:
    _, [(property_, message)] = members.check({"roster": "team", "emails": EMAILS} | inputs, olds)
    assert property_ == ""
    assert message.isprintable()
    return str(message)


def entry(id_: str, email: str, **more: Any) -> dict[str, Any]:
    user = f"{email.partition('@')[0]}@orchestrator.com"
    return {"email": email, "internal_email": user, "shard": shard_of(id_)} | more


def test_check_places_every_member(members: Provider) -> None:
    """By id: the address in its one spelling, its internal email and its shard; an id hashes to the latter."""
    inputs = checked(members, emails={"cust-1": " Alice@A.com", "cust-2": "bob@b.com"}, prefixes={"cust-2": "boss"})
    assert inputs["placed"] == {
        "cust-1": entry("cust-1", "alice@a.com"),
        "cust-2": entry("cust-2", "bob@b.com", internal_email="boss@orchestrator.com"),
    }
    assert members.secret == set()
    assert members.engine.logs == [("INFO", "team: +2 (cust-1: alice@a.com, cust-2: bob@b.com), 0 unchanged.")]


def test_a_list_is_placed_by_address(members: Provider) -> None:
    """In whatever order and spelling, and each once."""
    inputs = checked(members, emails=["bob@b.com", "ALICE@a.com", "Bob@B.com"])
    assert inputs["placed"] == {email: entry(email, email) for email in ("alice@a.com", "bob@b.com")}


def test_from_a_list_to_a_mapping_and_back_nobody_moves(members: Provider, later: Provider) -> None:
    """A member stays in the shard that it was in, whatever its id; nobody comes or goes."""
    olds = checked(members, emails=list(EMAILS.values()))
    by_id = checked(later, olds)
    assert {e["email"]: e["shard"] for e in by_id["placed"].values()} == {
        id_: e["shard"] for id_, e in olds["placed"].items()
    }
    assert later.diff(olds, by_id) == (True, [], False)
    assert later.engine.logs == [("INFO", "team: 2 under another id, same users and keys, 0 unchanged.")]
    assert checked(later, by_id, emails=list(EMAILS.values()))["placed"] == olds["placed"]


def test_no_change_is_no_word_and_no_diff(members: Provider, later: Provider) -> None:
    """Another order, another spelling, another bound: the same members."""
    olds = checked(members)
    again = checked(later, olds, emails={"cust-2": "BOB@b.com", "cust-1": "alice@a.com "}, max_removals=5)
    assert later.diff(olds, again) == (False, [], False)
    assert later.engine.logs == []


def test_what_is_created_and_updated_is_what_was_checked(members: Provider) -> None:
    """The outputs repeat the roster and its members; no verb has anything to call."""
    inputs = checked(members)
    id_, outs = members.create(inputs)
    assert (id_, outs) == ("team", {"roster": "team", "placed": inputs["placed"]})
    changed = checked(members, inputs, emails=EMAILS | {"cust-3": "carol@c.com"})
    updated = members.update(outs, changed)
    assert updated == {"roster": "team", "placed": changed["placed"]}
    assert members.read("team", updated)[1] == updated
    members.delete("team", updated)
    assert members.engine.warnings == []


def test_secret_addresses_are_in_the_envelope_of_every_answer(members: Provider, later: Provider) -> None:
    """And what is said of them is counts."""
    inputs = checked(members, secret=True, prefixes={"cust-2": "boss"})
    assert members.secret == {"emails", "prefixes", "placed"}
    _, outs = members.create(inputs)
    assert (members.secret, outs["secret"]) == ({"placed"}, True)
    changed = checked(later, inputs, secret=True, emails={"cust-1": "alice@a.com", "cust-9": "x@x.com"})
    later.update(outs, changed)
    assert later.secret == {"placed"}
    later.read("team", outs)
    assert later.secret == {"placed"}
    said = [message for provider in (members, later) for _, message in provider.engine.logs]
    assert said == ["team: +2, 0 unchanged.", "team: +1, -1, 1 unchanged."]


@pytest.mark.parametrize("name", ["emails", "prefixes", "aliases", "email_mapping", "orchestrator", "max_removals"])
def test_what_is_unknown_leaves_everybody_unknown(members: Provider, name: str) -> None:
    """Nothing is placed, nothing is refused, nothing is said; the update tells."""
    unknown: Any = {name: UNKNOWN}
    inputs = checked(members, **unknown)
    assert inputs["placed"] == UNKNOWN
    assert members.diff({"placed": "{}"}, inputs) == (True, [], False)
    assert members.engine.logs == []


def test_an_address_that_is_not_known_yet_leaves_the_others_known(members: Provider, later: Provider) -> None:
    """By id or position; whoever was there may be it, and stays until it is known."""
    emails: Any = {"cust-1": "alice@a.com", "cust-2": None}
    inputs = checked(members, emails=emails, late_emails={"cust-2": UNKNOWN})
    assert list(inputs["placed"]) == ["cust-1"]
    assert members.engine.logs == [("INFO", "team: +1 (cust-1: alice@a.com), 0 unchanged, 1 not known yet.")]
    olds = checked(members)
    before = len(members.engine.logs)
    assert checked(members, olds, emails=emails, late_emails={"cust-2": UNKNOWN})["placed"] == olds["placed"]
    assert members.engine.logs[before:] == []
    known = checked(later, olds, emails=["alice@a.com", None], late_emails={"1": "bob@b.com"})
    assert sorted(known["placed"]) == ["alice@a.com", "bob@b.com"]


def _crowd(count: int) -> dict[str, str]:
    return {f"cust-{number}": f"user{number}@customers.com" for number in range(count)}


def test_too_many_removals_are_refused(members: Provider) -> None:
    """A file with only its header, half a file, another domain: in one line, by number."""
    olds = checked(members, emails=_crowd(201))
    empty = refused(members, olds, emails={})
    assert empty.startswith("team: 201 users of 201 would be removed (cust-0 (user0@customers.com), cust-1 (user1@")
    assert empty.endswith("and 191 more): more than 10 and more than 10 %. If that is meant, set max_removals=201.")
    assert "21 users of 201 would be removed" in refused(members, olds, emails=_crowd(180))
    checked(members, olds, emails=_crowd(181))
    checked(members, olds, emails={}, max_removals=201)
    assert "max_removals=0" in refused(members, olds, emails=_crowd(200), max_removals=0)


@pytest.mark.parametrize("most", ["five", 2.5, -1, True, [1], float("inf")])
def test_a_bound_that_is_no_number_is_refused(members: Provider, most: Any) -> None:
    """Before anybody is removed, and before anybody comes."""
    assert refused(members, max_removals=most) == "team: max_removals is not a number of users."


def test_another_domain_is_a_removal_of_all(members: Provider, start: Start) -> None:
    """As each internal email is another one."""
    olds = checked(members, emails=_crowd(20))
    other = members_of(start, userId=ORCHESTRATOR.replace("orchestrator", "other"))
    assert refused(other, olds, emails=_crowd(20)).startswith("team: 20 users of 20 would be removed (cust-0 (user0@")
    inputs = checked(other, olds, emails=_crowd(20), max_removals=20)
    assert {e["internal_email"].partition("@")[2] for e in inputs["placed"].values()} == {"other.com"}
    assert {id_: e["shard"] for id_, e in inputs["placed"].items()} == {
        id_: e["shard"] for id_, e in olds["placed"].items()
    }


def test_a_protected_roster_loses_nobody(members: Provider) -> None:
    """It may grow, and its addresses may change."""
    olds = checked(members)
    message = refused(members, olds, emails={"cust-1": "alice@a.com"}, protected=True)
    assert message.startswith("team: 1 user of 2 would be removed (cust-2 (bob@b.com)), but the roster is protected.")
    checked(members, olds, emails=EMAILS | {"cust-3": "c@c.com", "cust-1": "alice@bigcorp.com"}, protected=True)


@pytest.mark.parametrize(
    ("emails", "message"),
    [
        ({"cust-9": "alice@z.com", "cust-2": "bob@b.com"}, "is the user of cust-1 (alice@a.com)."),
        ({"cust-1": "x@a.com", "cust-9": "alice@z.com"}, "is the user of cust-1 (alice@a.com)."),
        ({"cust-1": "alice@a.com", "cust-9": "alice@z.com"}, "both map to alice@orchestrator.com."),
        ({"cust-1": "alice@a.com", "cust-9": "ALICE@a.com"}, "cust-1 and cust-9 are the same address (alice@a.com)."),
    ],
    ids=["leaving", "moving away", "staying", "the same"],
)
def test_nobody_takes_anothers_user(members: Provider, emails: dict[str, str], message: str) -> None:
    """At preview, naming both."""
    assert message in refused(members, checked(members), emails=emails)


def test_two_rosters_of_a_stack_do_not_share_a_user(members: Provider) -> None:
    """What one holds, another one is refused, before anybody acts."""
    checked(members, checked(members))
    _, [(_, message)] = members.check({"roster": "other", "emails": {"x": "alice@z.com"}})
    assert message.startswith("alice@orchestrator.com: it is the user of alice@a.com in this stack, and alice@z.com ")
    _, [(_, message)] = members.check({"roster": "other", "emails": {"x": "alice@z.com"}, "secret": True})
    assert message.startswith("x: its internal email is another end user's in this stack.")
    assert "@" not in message


def test_a_roster_that_stays_as_it_is_shares_none_either(members: Provider, later: Provider, start: Start) -> None:
    """Whoever is shown first: who comes later is refused, naming both."""
    olds = checked(members)
    assert checked(later, olds) == olds
    assert later.diff(olds, olds) == (False, [], False)
    newcomer = {"roster": "other", "emails": {"x": "alice@z.com"}}
    _, [(_, message)] = later.check(newcomer)
    assert message.startswith("alice@orchestrator.com: it is the user of alice@a.com in this stack, and alice@z.com ")
    other = members_of(start)
    assert other.check(newcomer)[1] == []
    assert "alice@z.com" in refused(other, olds)


def test_a_wrong_setting_fails_check(start: Start) -> None:
    """In the one line that says which command sets it."""
    assert refused(members_of(start, userId=None)).startswith("openfunnel:userId is not set. Run: ")
    assert "did you mean openfunnel:apiKey?" in refused(members_of(start, apikey="of_x"))
