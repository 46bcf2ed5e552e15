"""Which member of a roster is which, and which shard it belongs to."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_openfunnel.provisioning.placement import Member, match, place
from pulumi_openfunnel.schema import SHARDS, shard_of


def _member(name: str, company: str = "a.com", alias: str | None = None) -> Member:
    return Member(f"{name}@{company}", f"{name}@orchestrator.com", alias)


ALICE, BOB, CAROL = _member("alice"), _member("bob"), _member("carol")
MOVED = _member("alice", "bigcorp.com")


@pytest.mark.parametrize(
    ("olds", "news", "same"),
    [
        ({}, {"1": ALICE}, {}),
        ({"1": ALICE}, {}, {}),
        ({"1": ALICE}, {"1": ALICE}, {"1": "1"}),
        ({"1": ALICE, "2": BOB}, {"1": BOB, "2": ALICE}, {"1": "2", "2": "1"}),
        ({"alice@a.com": ALICE}, {"cust-1": ALICE}, {"cust-1": "alice@a.com"}),
        ({"1": ALICE}, {"1": MOVED}, {"1": "1"}),
        ({"1": ALICE}, {"1": CAROL}, {"1": "1"}),
        ({"1": ALICE}, {"2": MOVED}, {}),
        ({"1": ALICE}, {"2": _member("alice", "bigcorp.com", alias="1")}, {"2": "1"}),
        ({"1": ALICE}, {"2": _member("carol", alias="1")}, {"2": "1"}),
        ({"1": ALICE}, {"1": BOB, "2": _member("alice", "bigcorp.com", alias="1")}, {"2": "1"}),
        ({"1": ALICE}, {"2": _member("carol", alias="1"), "3": ALICE}, {"3": "1"}),
        ({"1": ALICE}, {"2": _member("bob", alias="1"), "3": _member("carol", alias="1")}, {"2": "1"}),
        ({"1": ALICE}, {"2": _member("carol", alias="nobody")}, {}),
        ({"1": ALICE}, {"1": _member("alice", alias="1")}, {"1": "1"}),
        ({"1": ALICE, "2": BOB}, {"2": ALICE}, {"2": "1"}),
        ({"1": ALICE, "2": BOB}, {"2": ALICE, "1": CAROL}, {"2": "1"}),
    ],
    ids=[
        "new",
        "gone",
        "unchanged",
        "swapped",
        "from a list to a mapping",
        "another address, the same user",
        "another user under the same id",
        "another id and address",
        "alias",
        "alias to another user",
        "alias before the id",
        "the same user before the alias",
        "an alias for two",
        "an alias of nobody",
        "an alias of itself",
        "takes over an id",
        "takes over an id, whose own is taken",
    ],
)
def test_who_is_who(olds: dict[str, Member], news: dict[str, Member], same: dict[str, str]) -> None:
    """The same address and user, else the alias, else the id; no old member is two new ones."""
    assert match(olds, news) == same


def test_the_order_of_declarations_makes_no_difference() -> None:
    """Each rule is tried for all before the next one."""
    olds = {"1": ALICE, "2": BOB, "3": CAROL}
    news = {"1": BOB, "2": _member("dave", alias="1"), "3": ALICE, "4": _member("erin", alias="3")}
    expected = {"1": "2", "3": "1", "4": "3"}
    for order in itertools.permutations(news.items()):
        assert match(olds, dict(order)) == expected


_USERS = st.builds(
    _member, st.sampled_from(["alice", "bob", "carol"]), st.sampled_from(["a.com", "b.com"]), st.sampled_from("123")
)
_MEMBERS = st.lists(_USERS, unique_by=lambda member: member.internal_email).flatmap(
    lambda members: st.permutations("12345").map(lambda ids: dict(zip(ids, members, strict=False)))
)


@given(_MEMBERS, _MEMBERS)
def test_no_old_member_is_two_new_ones(olds: dict[str, Member], news: dict[str, Member]) -> None:
    """Whatever is declared; and whoever is unchanged stays where it was."""
    same = match(olds, news)
    assert len(set(same.values())) == len(same)
    assert same.keys() <= news.keys()
    assert set(same.values()) <= olds.keys()
    assert match(olds, olds).keys() == olds.keys()


@given(st.dictionaries(st.text(min_size=1), st.integers(0, SHARDS - 1)), st.text(min_size=1))
def test_a_shard_is_the_old_ones_or_the_hashs(olds: dict[str, int], id_: str) -> None:
    """A member's shard is the one of who it was, so that its key never crosses shards."""
    assert place(olds, {}, id_) == shard_of(id_) < SHARDS
    for old, shard in olds.items():
        assert place(olds, {id_: old}, id_) == shard


@given(_MEMBERS, _MEMBERS, _MEMBERS)
def test_a_member_that_goes_through_two_changes_is_where_its_user_is(
    first: dict[str, Member], second: dict[str, Member], third: dict[str, Member]
) -> None:
    """From one update to the next each keeps its shard, whatever it is called."""
    olds: dict[str, Member] = {}
    shards: dict[str, int] = {}
    for news in (first, second, third):
        same = match(olds, news)
        placed = {id_: place(shards, same, id_) for id_ in news}
        assert {id_: placed[id_] for id_ in same} == {id_: shards[old] for id_, old in same.items()}
        olds, shards = news, placed
