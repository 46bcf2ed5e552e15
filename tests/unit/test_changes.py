"""What a reviewer reads of a roster's change, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pulumi_openfunnel.errors import InvalidInput
from pulumi_openfunnel.provisioning.changes import Changes, changes, check_removals, sentence
from pulumi_openfunnel.provisioning.placement import Member, match


def _member(name: str, company: str = "a.com", alias: str | None = None, domain: str = "orchestrator.com") -> Member:
    return Member(f"{name}@{company}", f"{name}@{domain}", alias)


def _by_id(*names: str) -> dict[str, Member]:
    return {f"cust-{number}": _member(name) for number, name in enumerate(names)}


def _list(*names: str) -> dict[str, Member]:
    return {f"{name}@a.com": _member(name) for name in names}


def _changes(olds: dict[str, Member], news: dict[str, Member], late: int = 0) -> Changes:
    return changes(olds, news, match(olds, news), late=late)


def _sentence(olds: dict[str, Member], news: dict[str, Member], **how: Any) -> str:
    found = _changes(olds, news, how.pop("late", 0))
    return sentence("team", found, **({"ledger": True, "secret": False} | how))


OLD = _by_id("alice", "bob", "carol")


@pytest.mark.parametrize(
    ("olds", "news", "expected"),
    [
        ({}, _by_id("alice"), "team: +1 (cust-0: alice@a.com), 0 unchanged."),
        ({}, _list("alice"), "team: +1 (alice@a.com), 0 unchanged."),
        (
            OLD,
            {"cust-0": OLD["cust-0"], "cust-7": _member("dave")},
            "team: +1 (cust-7: dave@a.com), -2 (cust-1, cust-2: the users live on; their keys stay in the ledger), 1 unchanged.",
        ),
        (
            _list("alice", "bob"),
            _list("alice"),
            "team: -1 (bob@a.com: the user lives on; its key stays in the ledger), 1 unchanged.",
        ),
        (
            OLD,
            OLD | {"cust-1": _member("bob", "bigcorp.com")},
            "team: ~1 (cust-1: bob@a.com becomes bob@bigcorp.com, same user and key), 2 unchanged.",
        ),
        (
            OLD,
            OLD | {"cust-1": _member("robert")},
            "team: +1 (cust-1: robert@a.com), -1 (cust-1: the user lives on; its key stays in the ledger), 2 unchanged.",
        ),
        (
            _list("alice", "bob"),
            {"alice@a.com": _member("alice"), "bob@bigcorp.com": _member("bob", "bigcorp.com", alias="bob@a.com")},
            "team: ~1 (bob@a.com becomes bob@bigcorp.com, same user and key), 1 unchanged.",
        ),
        (_list("alice", "bob"), _by_id("alice", "bob"), "team: 2 under another id, same users and keys, 0 unchanged."),
        (
            _by_id("alice", "bob"),
            _by_id("bob", "alice"),
            "team: 2 under another id, same users and keys, 0 unchanged.",
        ),
    ],
    ids=[
        "first",
        "first of a list",
        "one comes, two go",
        "one goes",
        "another company",
        "another user",
        "alias",
        "to ids",
        "swap",
    ],
)
def test_the_sentence(olds: dict[str, Member], news: dict[str, Member], expected: str) -> None:
    """Counts first, then who; what stays is one number."""
    assert _sentence(olds, news) == expected


def test_without_a_ledger_nothing_is_said_of_one() -> None:
    """The users live on all the same."""
    assert _sentence(_by_id("a", "b", "c"), _by_id("a"), ledger=False).endswith(
        "-2 (cust-1, cust-2: the users live on), 1 unchanged."
    )
    assert "(cust-1: the user lives on)" in _sentence(_by_id("a", "b"), _by_id("a"), ledger=False)


def test_names_are_capped() -> None:
    """Ten of each kind, and how many more there are."""
    olds, news = _by_id(*(f"old{n}" for n in range(30))), _list(*(f"new{n}" for n in range(40)))
    said = _sentence(olds, news)
    assert said.startswith("team: +40 (new0@a.com, ")
    assert "new9@a.com and 30 more), -30 (cust-0, " in said
    assert "cust-9 and 20 more: the users live on; " in said
    assert len(said) < 600


def test_secret_addresses_are_counted() -> None:
    """And nothing else is said, also of who moves."""
    news = OLD | {"cust-1": _member("bob", "bigcorp.com"), "cust-2": _member("x"), "cust-9": _member("y")}
    assert _sentence(OLD, news, secret=True) == "team: +2, -1, ~1, 1 unchanged."


def test_what_is_not_known_yet_is_counted() -> None:
    """As addresses that are outputs of what is only going to be created."""
    assert _sentence({}, _by_id("a"), late=2) == "team: +1 (cust-0: a@a.com), 0 unchanged, 2 not known yet."


def test_who_may_be_late_is_not_removed() -> None:
    """It may be one of those whose address is not known yet."""
    news = {"cust-0": OLD["cust-0"]}
    found = changes(OLD, news, match(OLD, news), late=1, may_be_late={"cust-1"})
    assert list(found.removed) == ["cust-2"]
    assert sentence("team", found, ledger=False, secret=False) == (
        "team: -1 (cust-2: the user lives on), 1 unchanged, 1 not known yet."
    )


@pytest.mark.parametrize("news", [OLD, dict(reversed(OLD.items()))])
def test_no_change_is_none(news: dict[str, Member]) -> None:
    """Whatever the order."""
    assert _changes(OLD, news).is_none
    assert not _changes(OLD, _by_id("alice", "bob")).is_none
    assert not _changes(_list("alice"), _by_id("alice")).is_none


def test_a_user_that_a_single_id_gives_up_and_another_takes_is_not_removed() -> None:
    """A removal is an internal email that nobody keeps."""
    moved = {"cust-5": _member("bob", "bigcorp.com", alias="cust-1")}
    assert _changes(OLD, {k: v for k, v in OLD.items() if k != "cust-1"} | moved).removed == {}


def test_another_domain_removes_everybody() -> None:
    """Each internal email is another one, and each old one is nobody's any more."""
    news = {id_: _member(old.email.partition("@")[0], domain="other.com") for id_, old in OLD.items()}
    found = _changes(OLD, news)
    assert (len(found.added), len(found.removed)) == (3, 3)


def _removed(count: int, before: int) -> Changes:
    return Changes(removed={f"cust-{n}": _member(f"user{n}") for n in range(count)}, before=before)


@pytest.mark.parametrize(
    ("count", "before", "most"),
    [
        (0, 0, None),
        (1, 1, None),
        (10, 10, None),
        (10, 11, None),
        (11, 110, None),
        (20, 200, None),
        (2000, 20_000, None),
        (3, 3, 3),
        (201, 201, 201),
        (201, 201, 10_000),
        (0, 100, 0),
    ],
)
def test_so_many_may_be_removed(count: int, before: int, most: int | None) -> None:
    """Ten always, more up to a tenth; or as many as the program says."""
    check_removals("team", _removed(count, before), ["x"] * count, most=most, protect=False)


@pytest.mark.parametrize(
    ("count", "before", "most", "bound"),
    [
        (11, 11, None, "more than 10 and more than 10 %"),
        (11, 100, None, "more than 10 and more than 10 %"),
        (11, 109, None, "more than 10 and more than 10 %"),
        (21, 200, None, "more than 10 and more than 10 %"),
        (201, 201, None, "more than 10 and more than 10 %"),
        (1, 100, 0, "max_removals=0"),
        (11, 1000, 10, "max_removals=10"),
    ],
)
def test_more_are_refused(count: int, before: int, most: int | None, bound: str) -> None:
    """With how many and which, and what to write when it is meant."""
    names = [f"cust-{number}" for number in range(count)]
    shown = ", ".join(names[:10]) + (f" and {count - 10} more" if count > 10 else "")
    users = "1 user" if count == 1 else f"{count} users"
    message = (
        f"team: {users} of {before} would be removed ({shown}): {bound}. If that is meant, set max_removals={count}."
    )
    with pytest.raises(InvalidInput, match=f"^{re.escape(message)}$"):
        check_removals("team", _removed(count, before), names, most=most, protect=False)


@pytest.mark.parametrize("most", [None, 0, 5])
def test_a_protected_roster_loses_nobody(most: int | None) -> None:
    """Whatever else is allowed; and the line says which way does not help."""
    message = (
        "team: 1 user of 50 would be removed (cust-0), but the roster is protected. To remove them, take protect=True away "
        "from the program (pulumi state unprotect does not lift it)."
    )
    with pytest.raises(InvalidInput, match=f"^{re.escape(message)}$"):
        check_removals("team", _removed(1, 50), ["cust-0"], most=most, protect=True)
    check_removals("team", _removed(0, 50), [], most=most, protect=True)
