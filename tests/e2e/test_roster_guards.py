"""What keeps a roster from losing many users at once: at preview, and before any shard acts where there was none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from .rosters import Roster, customers

CROWD = customers(*range(100))
MANY = "more than 10 and more than 10 %. If that is meant, set max_removals="


@pytest.fixture
def roster(project: Project, accounts: Accounts) -> Iterator[Roster]:
    made = Roster(project, accounts)
    yield made
    made.shows_no_key()


def _refused_twice(roster: Roster, **spec: Any) -> str:
    """The line that refuses a preview, and an update without one, which leaves every shard as it was."""
    before = _shards(roster)
    line = roster.refused(**spec)
    assert roster.refused("up", "--yes", "--skip-preview", **spec) == line
    assert _shards(roster) == before
    return line


def _shards(roster: Roster) -> dict[str, Any]:
    """What the state holds of each shard, but for the encryption of its secrets."""
    return {
        name: resource["outputs"]["users"]
        for name, resource in roster.project.resources().items()
        if resource["type"].endswith(":ProvisionedUsersShard")
    }


@pytest.mark.long
def test_many_removals_are_refused(roster: Roster) -> None:
    """A file with its header alone, or 11 of 100: by number, unless the program says so many."""
    roster.settled(emails=CROWD, requests=100)
    line = _refused_twice(roster, emails={})
    assert line.startswith("team: 100 users of 100 would be removed (cust-0 (user0@customers.com), cust-1 (user1@")
    assert line.endswith(f"{MANY}100.")
    fewer = customers(*range(89))
    assert _refused_twice(roster, emails=fewer).endswith(f"{MANY}11.")
    done = roster.settled(emails=fewer, max_removals=11)
    assert "team: -11 (cust-89, cust-90, " in done.output
    [warning] = done.warnings
    assert warning.startswith("11 users: user89@orchestrator.com, user90@orchestrator.com, ")


@pytest.mark.long
def test_a_protected_roster_loses_nobody(roster: Roster) -> None:
    """Protected itself, or by a parent; it may grow."""
    roster.settled(emails=customers(1, 2), above=True, requests=2)
    protected = (
        "but the roster is protected. To remove them, take protect=True away from the program (pulumi state unprotect"
    )
    assert protected in _refused_twice(roster, emails=customers(1), above=True)
    roster.settled(emails=customers(1, 2, 3), above=None, protect=True, requests=1)
    assert protected in _refused_twice(roster, emails=customers(1, 2), above=None, protect=True)
    roster.settled(emails=customers(1, 2), above=None)


@pytest.mark.long
def test_ignored_changes_are_ignored(roster: Roster) -> None:
    """Nobody comes or goes."""
    roster.settled(emails=customers(1, 2), requests=2)
    roster.declare(emails=customers(2, 3), ignore_changes=["emails"])
    roster.run("preview", "--expect-no-changes")
    roster.up()
    assert roster.got().keys() == customers(1, 2).keys()


@pytest.mark.long
def test_outputs_are_secret_where_the_program_says_so(roster: Roster) -> None:
    """What they hold is in the clear nowhere in the state, with all that it is made of."""
    roster.settled(emails=customers(1, 2), hidden=["users", "failed"], requests=2)
    roster.run("refresh", "--yes", "--skip-preview")
    roster.settled(emails=customers(1, 3), hidden=["users", "failed"], requests=1)
    assert roster.in_the_clear("user1@", "user2@", "user3@") == []
