"""What an update of a shard has to do, and what its outputs are afterwards. Who holds a key is what its own state says."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_openfunnel.dynamic.shard_state import Outcome, applied, held, plan
from pulumi_openfunnel.provisioning.keys import Failed, ProvisionedKey, fingerprint

NEW_KEY = ProvisionedKey("9", "of_new")


def _member(name: str, company: str = "a.com", **more: str) -> dict[str, str]:
    return {"email": f"{name}@{company}", "internal_email": f"{name}@orchestrator.com", **more}


def _olds(**names: str) -> dict[str, Any]:
    """The outputs of a shard that holds these."""
    users = {
        id_: _member(name) | {"id": id_, "key_fingerprint": fingerprint(f"of_{name}"), "key_status": "active"}
        for id_, name in names.items()
    }
    return {"users": users, "api_keys": {id_: f"of_{name}" for id_, name in names.items()}, "failed": {}}


def _news(**members: dict[str, str]) -> dict[str, Any]:
    return {"roster": "team", "members": members}


OLD = _olds(one="alice", two="bob")
ALICE, BOB, CAROL = _member("alice"), _member("bob"), _member("carol")


@pytest.mark.parametrize(
    ("news", "missing", "moved", "renamed", "leaves"),
    [
        (_news(one=ALICE, two=BOB), [], [], False, False),
        (_news(two=BOB, one=ALICE), [], [], False, False),
        (_news(one=BOB, two=ALICE), [], [], True, False),
        (_news(uno=ALICE, two=BOB), [], [], True, False),
        (_news(one=ALICE, two=BOB, three=CAROL), ["three"], [], False, False),
        (_news(one=ALICE), [], [], False, True),
        (_news(), [], [], False, True),
        (_news(one=ALICE, two=_member("bob", "bigcorp.com")), [], ["two"], False, False),
        (_news(one=ALICE, dos=_member("bob", "bigcorp.com", alias="two")), [], ["dos"], True, False),
        (_news(one=ALICE, dos=_member("bob", "bigcorp.com")), ["dos"], [], False, True),
        (_news(one=CAROL, two=BOB), ["one"], [], False, False),
        (_news(one=ALICE, two=BOB) | {"existing_api_keys": {"one": "of_alice"}}, [], [], False, False),
        (_news(one=ALICE, two=BOB) | {"existing_api_keys": {"one": " of_alice\n"}}, [], [], False, False),
        (_news(one=ALICE, two=BOB) | {"existing_api_keys": {"one": "of_successor"}}, ["one"], [], False, False),
        (_news(uno=ALICE, two=BOB) | {"existing_api_keys": {"uno": "of_alice"}}, [], [], True, False),
    ],
    ids=[
        "unchanged",
        "another order",
        "swapped ids",
        "another id",
        "one more",
        "one less",
        "nobody",
        "another company",
        "an alias",
        "another id and company",
        "another user",
        "its own key",
        "its own key, with blanks",
        "another key",
        "its own key under another id",
    ],
)
def test_what_has_to_be_done(
    news: dict[str, Any], missing: list[str], moved: list[str], renamed: bool, leaves: bool
) -> None:
    """By what the members are and not by their ids."""
    found = plan(OLD, news)
    assert (found.missing, found.moved, found.renamed, found.leaves) == (missing, moved, renamed, leaves)
    assert found.changes is bool(missing or moved or renamed or leaves)


def test_a_first_update() -> None:
    """Has no old users, or none that the state knows of."""
    first: list[dict[str, Any]] = [{}, {"users": None}, {"users": {}}]
    for olds in first:
        assert plan(olds, _news(one=ALICE)).missing == ["one"]


def _outcome(news: dict[str, Any], olds: dict[str, Any] = OLD) -> Outcome:
    return Outcome(olds, news, plan(olds, news))


def test_users_keep_their_keys_whatever_their_ids() -> None:
    """Two ids that swapped their customers swap their keys."""
    outs = _outcome(_news(one=BOB, two=ALICE)).outs
    assert outs["api_keys"] == {"one": "of_bob", "two": "of_alice"}
    assert outs["users"]["one"] == OLD["users"]["two"]
    assert outs["failed"] == {}


def test_a_moved_member_keeps_its_key_under_the_new_address() -> None:
    """And under the old one when it could not be."""
    news = _news(one=_member("alice", "bigcorp.com"), two=BOB)
    outcome = _outcome(news)
    outcome.moved({"one": None})
    assert outcome.outs["users"]["one"]["email"] == "alice@bigcorp.com"
    assert (outcome.outs["api_keys"]["one"], outcome.outs["failed"], outcome.leaving) == ("of_alice", {}, [])
    outcome = _outcome(news)
    outcome.moved({"one": Failed("The ledger is locked.")})
    assert outcome.outs["users"]["one"] == OLD["users"]["one"]
    assert outcome.outs["failed"] == {"one": "The ledger is locked. The user and key stay with the address before."}


def test_another_user_replaces_the_old_one_only_once_it_is_there() -> None:
    """Until then the old user and key stay, and nobody leaves."""
    news = _news(one=CAROL, two=BOB)
    outcome = _outcome(news)
    outcome.came({"one": Failed("exists already (409).")})
    assert outcome.outs["api_keys"] == {"one": "of_alice", "two": "of_bob"}
    assert outcome.outs["failed"] == {"one": "exists already (409). The user and key that were there before stay."}
    assert outcome.leaving == []
    outcome = _outcome(news)
    outcome.came({"one": NEW_KEY})
    assert outcome.outs["users"]["one"] == CAROL | {
        "id": "9",
        "key_fingerprint": fingerprint("of_new"),
        "key_status": "active",
    }
    assert (outcome.outs["api_keys"]["one"], outcome.leaving) == ("of_new", ["one"])


def test_another_key_for_the_same_user_lets_nobody_go() -> None:
    """It takes the place of the old one."""
    outcome = _outcome(_news(one=ALICE, two=BOB) | {"existing_api_keys": {"one": "of_new"}})
    outcome.came({"one": NEW_KEY})
    assert (outcome.outs["api_keys"]["one"], outcome.leaving) == ("of_new", [])


def test_who_fails_for_the_first_time_has_a_reason_alone() -> None:
    """There is nothing that stays."""
    outcome = _outcome(_news(one=ALICE, two=BOB, three=CAROL))
    outcome.came({"three": Failed("timed out.")})
    assert outcome.outs["failed"] == {"three": "timed out."}
    assert outcome.outs["users"].keys() == outcome.outs["api_keys"].keys() == {"one", "two"}


def test_a_key_that_cannot_be_let_go_stays() -> None:
    """Under its id, or beside who has that id now."""
    outcome = _outcome(_news(one=ALICE))
    assert outcome.leaving == ["two"]
    outcome.stays("two", "the ledger is damaged.")
    assert outcome.outs["api_keys"] == {"one": "of_alice", "two": "of_bob"}
    assert outcome.outs["failed"] == {"two": "the ledger is damaged."}
    outcome = _outcome(_news(one=CAROL, two=BOB))
    outcome.came({"one": NEW_KEY})
    outcome.stays("one", "the ledger is damaged.")
    assert outcome.outs["api_keys"] == {"one": "of_new", "two": "of_bob", "one before": "of_alice"}
    again = plan(outcome.outs, _news(one=CAROL, two=BOB))
    assert (again.missing, again.leaves) == ([], True)


def test_a_digest_tells_inputs_apart() -> None:
    """What an update brings about, and nothing else: another spelling of the roster's name is no work."""
    inputs: dict[str, Any] = {
        "members": '{"one":{}}',
        "existing_api_keys": None,
        "orchestrator": None,
        "roster": "team",
    }
    assert applied(inputs) == applied(inputs | {"roster": "other", "secret": True})
    for name in ("members", "existing_api_keys", "orchestrator"):
        assert applied(inputs) != applied(inputs | {name: "x"})
    assert len(applied(inputs)) == 32


def test_who_is_held_shows_no_key() -> None:
    """As a state's outputs hold it."""
    found = held("one", OLD | {"orchestrator": "acme"})
    assert (found.user.email, found.api_key, found.orchestrator) == ("alice@a.com", "of_alice", "acme")
    assert "of_alice" not in repr(found)
