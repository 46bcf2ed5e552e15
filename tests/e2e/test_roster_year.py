"""A year of a roster: what customers do, step by step, on one stack; with its ledger, and on runners that forget theirs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from pulumi_openfunnel.schema import shard_of
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject
from .rosters import Roster, customers

OTHER = Account("guy@other.com", "of_other_provisioner_0123456789")


pytestmark = pytest.mark.long


@pytest.fixture(params=[False, True], ids=["one ledger", "new ledgers"])
def roster(request: pytest.FixtureRequest, new_project: NewProject) -> Iterator[Roster]:
    """A server hands out a user's key again: on a runner that forgets there is no other way to it."""
    existing = Existing.SAME_KEY if request.param else Existing.CONFLICT
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY), OTHER], existing=existing)
    with serve(accounts) as api:
        project = new_project("")
        project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        made = Roster(project, accounts, forgets=request.param)
        yield made
        made.shows_no_key(OTHER.api_key)


def test_customers_come_go_and_change(roster: Roster) -> None:
    """By id and by address, back and forth: each keeps its key, and nobody is asked for twice."""
    first = customers(*range(1, 13))
    assert "team: 12 users done, none failed, in " in roster.settled(emails=first, requests=12).output

    emails = first | customers(13)
    del emails["cust-2"]
    done = roster.settled(emails=emails, requests=1)
    assert "team: +1 (cust-13: user13@customers.com), -1 (cust-2: the user lives on; " in done.output
    assert [line for line in done.warnings if line.startswith("user2@orchestrator.com: removed from the stack only: ")]

    emails |= customers(3, company="bigcorp.com")
    done = roster.settled(emails=emails)
    assert "team: ~1 (cust-3: user3@customers.com becomes user3@bigcorp.com, same user and key), 11 unc" in done.output
    assert [line for line in done.warnings if line.startswith("user3@orchestrator.com: now stands for another address")]

    emails["cust-4"] = "boss@customers.com"
    done = roster.settled(emails=emails, requests=1)
    assert "team: +1 (cust-4: boss@customers.com), -1 (cust-4: the user lives on; " in done.output

    emails["cust-5"], emails["cust-6"] = emails["cust-6"], emails["cust-5"]
    assert "team: 2 under another id, same users and keys, 10 unchanged." in roster.settled(emails=emails).output

    roster.declare(emails={id_: f" {email.upper()}" for id_, email in reversed(emails.items())})
    assert "team: " not in roster.run("preview", "--expect-no-changes").output

    addresses = list(emails.values())
    assert "team: 12 under another id, same users and keys, 0 unchanged." in roster.settled(emails=addresses).output

    roster.declare(emails=[*reversed(addresses), addresses[0], addresses[1].upper()])
    roster.run("preview", "--expect-no-changes")

    addresses[addresses.index("user7@customers.com")] = "user7@bigcorp.com"
    done = roster.settled(emails=addresses, aliases={"user7@bigcorp.com": "user7@customers.com"})
    assert "team: ~1 (user7@customers.com becomes user7@bigcorp.com, same user and key), 11 unchanged." in done.output

    renamed = {f"c{number}": email for number, email in enumerate(addresses)}
    roster.settled(emails=renamed)
    roster.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    roster.settled(emails=renamed)


def test_users_move_between_resources(roster: Roster) -> None:
    """Single users in and out, the roster under another name, another domain and back."""
    again = 1 if roster.forgets else 0
    emails = customers(*range(1, 13))
    roster.settled(emails=emails, singles={"vip": "user20@customers.com"}, requests=13)

    done = roster.settled(emails=emails | customers(20), requests=again)
    assert [line for line in done.warnings if "user20@" in line] == []
    done = roster.settled(emails=emails, singles={"vip": "user20@customers.com"}, requests=again)
    assert [line for line in done.warnings if "user20@" in line] == []

    roster.settled(emails=emails, roster="crew", was=["team"])
    done = roster.settled(emails=emails, roster="customers", requests=12 * again)
    assert done.warnings == []

    other = {"OPENFUNNEL_USER_ID": OTHER.email, "OPENFUNNEL_API_KEY": OTHER.api_key}
    roster.project.setenv(**other)
    line = roster.refused(emails=emails, roster="customers")
    assert line.startswith("customers: 12 users of 12 would be removed (cust-1 (user1@customers.com), cust-10 (user10@")
    assert line.endswith("more than 10 and more than 10 %. If that is meant, set max_removals=12.")
    roster.up(emails=emails, roster="customers", max_removals=12, requests=12)
    keys = {user.email: user.api_key for user in roster.accounts.users}
    assert roster.got() == {id_: keys[f"{email.partition('@')[0]}@other.com"] for id_, email in emails.items()}
    roster.project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY)
    roster.settled(emails=emails, roster="customers", max_removals=12, requests=12 * again)


@pytest.fixture
def kept(new_project: NewProject, api: str, accounts: Accounts) -> Iterator[Roster]:
    """A roster with one ledger, against a server that refuses an existing user."""
    project = new_project("")
    project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    made = Roster(project, accounts)
    yield made
    made.shows_no_key()


REFUSED = [
    (
        {"emails": customers(1) | {"cust-9": "USER1@customers.com"}},
        "team: cust-1 and cust-9 are the same address (user1@customers.com). Remove one.",
    ),
    (
        {"emails": customers(1, 2) | {"cust-9": "user1@elsewhere.com"}},
        "team: cust-1 (user1@customers.com) and cust-9 (user1@elsewhere.com) both map to user1@orchestrator.com. Set "
        'prefixes for one, or email_mapping="subaddress".',
    ),
    (
        {"emails": customers(1) | {"cust-9": "user2@bigcorp.com"}},
        "team: cust-9 (user2@bigcorp.com) is new, and user2@orchestrator.com is the user of cust-2 (user2@customers.com). For "
        "the same customer, set aliases; for another one, set prefixes={'cust-9': ...}.",
    ),
    (
        {"emails": customers(1) | {"cust-9": "new@bigcorp.com"}, "aliases": {"cust-9": "cust-2"}},
        "team: cust-9 (new@bigcorp.com): aliases keeps user2@orchestrator.com, but the address maps to another one. Set "
        "prefixes={'cust-9': 'user2'}.",
    ),
    (
        {"emails": customers(1), "singles": {"vip": "user2@bigcorp.com"}},
        "user2@orchestrator.com: it is the user of user2@customers.com in this stack, and user2@bigcorp.com would get its key.",
    ),
    (
        {"emails": customers(1, 2), "singles": {"vip": "user2@customers.com"}},
        "are the same address, user2@customers.com. Remove one.",
    ),
]


def test_what_would_mix_customers_up_is_refused(kept: Roster) -> None:
    """At preview, in one line that names both and the ways out."""
    kept.settled(emails=customers(1, 2), requests=2)
    for spec, line in REFUSED:
        assert line in kept.refused(**spec)
    kept.declare(emails=customers(1, 2))
    kept.run("preview", "--expect-no-changes")


def test_parts_of_a_roster(kept: Roster) -> None:
    """Targets and exclusions leave out what they leave out, the rest comes with the next update, and nobody is asked twice."""
    old = customers(1, 2, 3)
    kept.settled(emails=old, requests=3)
    urns = {name: resource["urn"] for name, resource in kept.project.resources().items()}
    here, there = _apart()
    both = old | {here: "here@customers.com", there: "there@customers.com"}
    kept.declare(emails=both)
    shard, members = urns[f"team-{shard_of(here):02}"], urns["team-members"]

    kept.up("--target", shard)
    kept.up("--exclude", members)
    assert kept.got() == expected_keys(kept, old)
    kept.up("--target", members, "--target", shard, requests=1)
    kept.up("--target", shard)
    kept.settled(emails=both, requests=1)

    kept.declare(emails=old)
    kept.up("--target", members)
    assert "team: " not in kept.up("--exclude", shard).output.partition("Diagnostics:")[2].replace("team: -", "")
    removed = kept.settled(emails=old)
    assert [line for line in removed.warnings if line.startswith("here@orchestrator.com: removed from the stack only")]


def _apart() -> tuple[str, str]:
    """Two ids in two shards, which are none of the first customers'."""
    taken = {shard_of(id_) for id_ in customers(1, 2, 3)}
    free = (f"cust-{number}" for number in itertools.count(50) if shard_of(f"cust-{number}") not in taken)
    here = next(free)
    return here, next(id_ for id_ in free if shard_of(id_) != shard_of(here))


def expected_keys(roster: Roster, emails: dict[str, str]) -> dict[str, str]:
    keys = {user.email: user.api_key for user in roster.accounts.users}
    return {id_: keys[email.replace("customers", "orchestrator")] for id_, email in emails.items()}
