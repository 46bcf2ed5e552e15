"""Rosters: many users as one declaration."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Project
from pulumi_openfunnel.schema import shard_of
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

ROSTER = """
    import json
    import os
    import pulumi
    import pulumi_openfunnel as openfunnel
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class Sink(ResourceProvider):
        def create(self, props):
            return CreateResult("sink", {})

    class SinkResource(Resource, module="test", name="Sink"):
        pass

    emails = json.loads(os.environ["EMAILS"])
    team = openfunnel.ProvisionedUsers(
        "team", emails=emails, existing_api_keys=json.loads(os.environ.get("KEYS", "{}")) or None,
        max_removals=int(os.environ.get("MOST", 10)))
    if os.environ.get("SINKS"):
        for email in emails:
            SinkResource(Sink(), f"sink-{email}", {"key": team[email].api_key})
    pulumi.export("users", team.users)
    pulumi.export("api_keys", team.api_keys)
"""


@pytest.fixture
def roster(new_project: NewProject, api: str, accounts: Accounts) -> Iterator[Project]:
    project = new_project(ROSTER)
    project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    yield project
    for key in (PROVISIONER_KEY, *(user.api_key for user in accounts.users)):
        assert project.grep(key) == []


def of(project: Project, emails: list[str] | dict[str, str]) -> None:
    project.setenv(EMAILS=json.dumps(emails))


def test_what_fails_does_not_take_the_rest_along(roster: Project, accounts: Accounts) -> None:
    """The good users' readers are created, the update fails with a line a reason, the next tries the rest alone."""
    emails = [f"user{n}@customers.com" for n in range(20)]
    for n in (3, 5):
        accounts.create(f"user{n}@orchestrator.com")
    of(roster, emails)
    roster.setenv(SINKS="yes")
    failed = roster.up(check=False)
    assert failed.status != 0
    assert "team: 18 of 20 users are in the state. 2 failed. Run pulumi up: only these 2 are tried." in failed.output
    assert "team: 2 failed: user3@customers.com, user5@customers.com: exists already (409)" in failed.output
    assert len([name for name in roster.resources() if name.startswith("sink-")]) == 18
    assert "Traceback" not in failed.output
    asked = len(accounts.record.entries)

    roster.pulumi("refresh", "--yes", "--skip-preview")
    target = roster.resources()["sink-user1@customers.com"]["urn"]
    roster.up("--target", target)
    assert len(accounts.record.entries) == asked == 20

    adopted = {
        f"user{n}@customers.com": user.api_key for n in (3, 5) for user in accounts.users if f"user{n}@" in user.email
    }
    roster.setenv(KEYS=json.dumps(adopted))
    roster.up()
    assert len(accounts.record.entries) == 20
    assert json.loads(roster.output("api_keys")) == {
        user.email.replace("orchestrator", "customers"): user.api_key for user in accounts.users
    }
    roster.setenv(KEYS=None)
    roster.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_order_duplicates_and_spelling_make_no_difference(roster: Project, accounts: Accounts) -> None:
    """And adding one asks for that one alone; taking many away is one warning; each update sums itself up in one line."""
    emails = [f"user{n}@customers.com" for n in range(30)]
    of(roster, emails)
    assert roster.up().output.partition("Diagnostics:")[2].count("team: 30 users done, none failed, in ") == 1
    of(roster, [email.upper() + " " for email in reversed(emails)] + emails[:5])
    roster.pulumi("preview", "--expect-no-changes")
    of(roster, [*emails, "new@customers.com"])
    done = roster.up().output
    assert "team: 1 user done, none failed, in " in done
    assert "2 updated" in done  # the members, and its shard
    assert len(accounts.record.entries) == 31
    stay = list({shard_of(email): email for email in [*emails, "new@customers.com"]}.values())
    of(roster, stay)
    roster.setenv(MOST=str(31 - len(stay)))
    removed = roster.up()
    [warning] = removed.warnings
    assert ": removed from the stack only: OpenFunnel's API cannot delete users." in warning
    assert "done, none failed" not in removed.output
    assert f"{31 - len(stay)} users: " in warning
    assert len(accounts.record.entries) == 31


@pytest.mark.long
def test_users_move_in_and_out_with_their_keys(roster: Project, accounts: Accounts) -> None:
    """From resources of their own into a roster and back, in one update each, without a request."""
    one = """
        import pulumi
        import pulumi_openfunnel as openfunnel

        keys = {}
        for name in ("alice", "bob", "carol"):
            user = openfunnel.ProvisionedUser(name, email=f"{name}@customers.com")
            keys[f"{name}@customers.com"] = user.api_key
        pulumi.export("api_keys", pulumi.Output.secret(keys))
    """
    program = (roster.directory / "__main__.py").read_text()
    roster.write(one)
    roster.up()
    keys = json.loads(roster.output("api_keys"))
    assert len(keys) == 3
    roster.write(program)
    of(roster, list(keys))
    roster.up()
    assert json.loads(roster.output("api_keys")) == keys
    roster.write(one)
    roster.up()
    assert json.loads(roster.output("api_keys")) == keys
    assert len(accounts.record.entries) == 3


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            """
            openfunnel.ProvisionedUsers("team", emails=["info@a.com", "x@b.com", "info@b.com"])
            """,
            "team: info@a.com and info@b.com both map to info@orchestrator.com. Set prefixes for one, or email_mapping=",
        ),
        (
            """
            openfunnel.ProvisionedUser("alice", email="info@a.com")
            openfunnel.ProvisionedUsers("team", emails=["info@b.com"])
            """,
            " both map to it. No key was handed out. Set prefix on one",
        ),
        (
            """
            openfunnel.ProvisionedUsers("team", emails=[f"bad{n}@@a.com" for n in range(47)] + ["good@a.com"])
            """,
            "And 42 more. Give one address, such as bob@b.com.",
        ),
        (
            """
            openfunnel.ProvisionedUsers("team", emails=["alice@a.com"])["alise@a.com"]
            """,
            "alise@a.com is not in the roster team; near: alice@a.com",
        ),
        (
            """
            keys = {"alice@a.com": "of_alice", "alise@a.com": "of_alise"}
            openfunnel.ProvisionedUsers("team", emails=["alice@a.com"], existing_api_keys=keys)
            """,
            "error: team: existing_api_keys names alise@a.com, not in emails.",
        ),
    ],
    ids=["inside", "beside", "addresses", "no such user", "no such key"],
)
def test_what_cannot_be_fails_the_preview(roster: Project, accounts: Accounts, program: str, message: str) -> None:
    """In one line, and nobody is asked for."""
    roster.write("import pulumi_openfunnel as openfunnel\n" + textwrap.dedent(program))
    failed = roster.pulumi("preview", check=False)
    assert failed.status != 0
    assert message in failed.output
    assert "of_ali" not in failed.output
    assert accounts.record.entries == []


LATE = """
    import pulumi
    import pulumi_openfunnel as openfunnel
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class Late(ResourceProvider):
        def create(self, props):
            return CreateResult("late", {"email": "Late@customers.com", "emails": ["one@x.com", "TWO@x.com"]})

    class LateResource(Resource, module="test", name="Late"):
        email: pulumi.Output[str]
        emails: pulumi.Output[list[str]]

    late = LateResource(Late(), "late", {"email": None, "emails": None})
    by_id = openfunnel.ProvisionedUsers("by-id", emails={"cust-1": "alice@customers.com", "cust-2": late.email})
    whole = openfunnel.ProvisionedUsers("whole", emails=late.emails)
    assert (len(by_id), list(by_id), "cust-2" in by_id) == (2, ["cust-1", "cust-2"], True)
    for ask in (len, list, lambda roster: "one@x.com" in roster):
        try:
            ask(whole)
        except TypeError as error:
            assert str(error).startswith("whole: emails is an Output, so the program does not know"), error
        else:
            raise AssertionError(ask)
    pulumi.export("second", by_id["cust-2"].internal_email)
    pulumi.export("two", whole[" Two@X.com"].internal_email)
    pulumi.export("by_any_spelling", whole.api_keys.apply(lambda keys: [keys["ONE@x.com"], keys.get("Two@x.com")]))
    pulumi.export("users", whole.users.apply(lambda users: users["TWO@X.com"]["email"]))
"""


@pytest.mark.long
def test_addresses_that_are_known_late(roster: Project, accounts: Accounts) -> None:
    """Of one member, or all of them: a preview knows the others, fails nobody and warns of nothing."""
    roster.write(LATE)
    previewed = roster.pulumi("preview")
    assert previewed.warnings == []
    assert "by-id: +1 (cust-1: alice@customers.com), 0 unchanged, 1 not known yet." in previewed.output
    assert roster.up().warnings == []
    keys = {user.email: user.api_key for user in accounts.users}
    assert (roster.output("second"), roster.output("two")) == ("late@orchestrator.com", "two@orchestrator.com")
    assert json.loads(roster.output("by_any_spelling")) == [keys[f"{name}@orchestrator.com"] for name in ("one", "two")]
    assert roster.output("users") == "two@x.com"
    roster.pulumi("preview", "--expect-no-changes")


SINKS = """
    import asyncio
    import pulumi
    import pulumi_openfunnel as openfunnel
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class Sink(ResourceProvider):
        def create(self, props):
            return CreateResult("sink", {"got": "a key" if props.get("key") else "nothing"})

    class SinkResource(Resource, module="test", name="Sink"):
        got: pulumi.Output[str]

        def __init__(self, name, key):
            super().__init__(Sink(), name, {"key": key, "got": None})

"""


@pytest.mark.long
def test_reading_a_user_that_is_not_there_fails(roster: Project, accounts: Accounts) -> None:
    """Also where the addresses are outputs: with the near ones, after everything else was done."""
    roster.write(
        SINKS
        + """
    team = openfunnel.ProvisionedUsers("team", emails=pulumi.Output.from_input(["alice@a.com"]))
    SinkResource("good", team["Alice@a.com"].api_key)
    SinkResource("typo", team["alise@a.com"].api_key)
    pulumi.export("typo", team["alise@a.com"].internal_email)
    """
    )
    assert "alise@a.com is not in the roster team" in roster.pulumi("preview", check=False).output
    failed = roster.up(check=False)
    assert failed.status != 0
    assert "error: alise@a.com is not in the roster team; near: alice@a.com." in failed.output
    assert failed.output.partition("Diagnostics:")[2].count("alise@a.com is not in the roster") == 1
    assert {"good"} == {"good", "typo"} & roster.resources().keys()
    assert len(accounts.users) == 1


@pytest.mark.long
def test_what_reads_a_user_that_is_left_out_is_warned_of(roster: Project, accounts: Accounts) -> None:
    """A targeted update neither tries a user that failed before, nor fails because of it; its key is unknown."""
    accounts.create("bob@orchestrator.com")
    program = """
    team = openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])
    SinkResource("alice", team["alice@a.com"].api_key)
    SinkResource("bob", team["bob@b.com"].api_key)
    team["bob@b.com"].api_key.apply(lambda key: key.upper())
    """
    roster.write(SINKS + program)
    roster.up(check=False)
    targeted = roster.up("--target", roster.resources()["alice"]["urn"])
    [warning] = targeted.warnings
    assert warning.startswith("team: bob@b.com is not in the state, and this update leaves its part of the roster out")


def test_the_programs_own_error_is_shown_beside_the_verdict(roster: Project, accounts: Accounts) -> None:
    """Neither hides the other."""
    accounts.create("bob@orchestrator.com")
    roster.write(
        SINKS
        + """
    team = openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])
    SinkResource("bob", team["bob@b.com"].api_key)
    raise ValueError("mine")
    """
    )
    failed = roster.up(check=False)
    assert failed.status != 0
    assert failed.output.partition("Diagnostics:")[2].count("team: 1 of 2 users are in the state. 1 failed.") == 1
    assert "ValueError: mine" in failed.output


def test_readers_that_take_their_time_are_created_beside_a_failure(roster: Project, accounts: Accounts) -> None:
    """What sleeps is waited for."""
    accounts.create("bob@orchestrator.com")
    roster.write(
        SINKS
        + """
    async def slow(key):
        await asyncio.sleep(1.5)
        return key

    team = openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])
    SinkResource("slow", team["alice@a.com"].api_key.apply(slow))
    """
    )
    assert "team: 1 of 2 users are in the state. 1 failed." in roster.up(check=False).output
    assert roster.resources()["slow"]["outputs"]["got"] == "a key"


def test_a_slow_call_to_the_engine_is_waited_for_beside_a_failure(roster: Project, accounts: Accounts) -> None:
    """A reader whose create takes two seconds, in which no task of the program moves, and what reads that one in turn."""
    accounts.create("bob@orchestrator.com")
    roster.write(
        SINKS
        + """
    class Slow(Sink):
        def create(self, props):
            import time
            time.sleep(2)
            return super().create(props)

    class SlowResource(Resource, module="test", name="Slow"):
        got: pulumi.Output[str]

        def __init__(self, name, key):
            super().__init__(Slow(), name, {"key": key, "got": None})

    team = openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])
    SinkResource("fed", SlowResource("slow", team["alice@a.com"].api_key).got)
    """
    )
    failed = roster.up(check=False)
    assert failed.status != 0
    assert "team: 1 of 2 users are in the state. 1 failed." in failed.output
    assert [roster.resources()[name]["outputs"]["got"] for name in ("slow", "fed")] == ["a key", "a key"]


@pytest.mark.long
def test_a_preview_tries_the_provisioner_key_before_a_retry(roster: Project, accounts: Accounts) -> None:
    """And a refresh does not."""
    accounts.create("bob@orchestrator.com")
    roster.write(SINKS + '    openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])')
    roster.up(check=False)
    roster.setenv(OPENFUNNEL_API_KEY="of_wrong")
    previewed = roster.pulumi("preview", check=False)
    assert previewed.status != 0
    assert "OpenFunnel refused the provisioner key of guy@orchestrator.com (401)" in previewed.output
    of_shards = [line for line in previewed.output.splitlines() if "ProvisionedUsersShard" in line]
    assert any("refused the provisioner key" in line for line in of_shards)
    # The program may show one of its own, when the engine goes away while Pulumi's SDK is calling it.
    assert not any("Traceback" in line for line in of_shards)
    roster.pulumi("refresh", "--yes", "--skip-preview")


SHIFTED = """
import os
import sys
import time

def shifted():  # for the package alone: gRPC hangs where its clocks differ
    ours = sys._getframe(1).f_globals.get("__name__", "").startswith("pulumi_openfunnel")
    return now() + float(os.environ["SECONDS_OFF"]) * ours

now = time.time
if os.environ["SHIFTED"] in sys.orig_argv:
    time.time = shifted
"""


@pytest.mark.parametrize("seconds", [pytest.param(-600, marks=pytest.mark.long), 600])
def test_no_clock_spoils_the_verdict(roster: Project, accounts: Accounts, tmp_path: Path, seconds: int) -> None:
    """The provider's wall clock is off: who failed earlier is not in the way of a target, who fails now fails the update."""
    accounts.create("bob@orchestrator.com")
    program = """
    team = openfunnel.ProvisionedUsers("team", emails=["alice@a.com", "bob@b.com"])
    SinkResource("alice", team["alice@a.com"].api_key)
    """
    roster.write(SINKS + program)
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(SHIFTED)
    roster.setenv(PYTHONPATH=str(tmp_path / "clock"), SHIFTED="pulumi.dynamic", SECONDS_OFF=str(seconds))
    failed = roster.up(check=False)
    assert "team: 1 of 2 users are in the state. 1 failed." in failed.output
    roster.up("--target", roster.resources()["alice"]["urn"])
    again = roster.up(check=False)
    assert again.status != 0
    assert "team: 1 of 2 users are in the state. 1 failed." in again.output


@pytest.mark.long
def test_a_changed_list_after_members_ran_ahead(roster: Project, accounts: Accounts) -> None:
    """Shards that failed or were left out know who holds which key; whoever never came is not said to leave."""
    accounts.create("user3@orchestrator.com")
    first = {"c1": "user1@a.com", "c2": "user2@a.com"}
    of(roster, first)
    roster.up()
    of(roster, first | {"c3": "user3@a.com", "c1": "user1@bigcorp.com"})
    assert "team: 1 failed: c3: exists already (409)" in roster.up(check=False).output
    of(roster, {"c2": "user1@bigcorp.com", "c4": "user4@a.com", "c1": "user2@a.com"})
    done = roster.up()
    assert [warning for warning in done.warnings if "user3" in warning] == []
    keys = {user.email.partition("@")[0]: user.api_key for user in accounts.users}
    assert json.loads(roster.output("api_keys")) == {"c2": keys["user1"], "c4": keys["user4"], "c1": keys["user2"]}

    of(roster, {"c2": "user1@else.com", "c5": "user5@a.com", "c1": "user2@a.com"})
    roster.up("--target", roster.resources()["team-members"]["urn"])
    of(roster, {"c1": "user1@elsewhere.com", "c2": "user2@elsewhere.com", "c4": "user4@a.com"})
    refused = roster.pulumi("preview", check=False)
    assert "team: c1 (user1@elsewhere.com) is new, and user1@orchestrator.com is the user of c2" in refused.output
    of(roster, {"c2": "user1@elsewhere.com", "c1": "user2@elsewhere.com", "c4": "user4@a.com"})
    roster.up()
    assert json.loads(roster.output("api_keys")) == {"c2": keys["user1"], "c4": keys["user4"], "c1": keys["user2"]}
    assert len(accounts.record.entries) == 4
    roster.pulumi("preview", "--expect-no-changes")
