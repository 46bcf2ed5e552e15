"""Rosters: many users as one declaration."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .conftest import NewProject, Project

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
        "team", emails=emails, existing_api_keys=json.loads(os.environ.get("KEYS", "{}")) or None)
    if os.environ.get("SINKS"):
        for email in emails:
            SinkResource(Sink(), f"sink-{email}", {"key": team[email].api_key})
    pulumi.export("users", team.users)
    pulumi.export("api_keys", team.api_keys)
"""


@pytest.fixture
def roster(new_project: NewProject, api: str) -> Iterator[Project]:
    project = new_project(ROSTER)
    project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    yield project
    for key in (PROVISIONER_KEY, *json.loads(project.output("api_keys") or "{}").values()):
        assert project.grep(key) == []


def of(project: Project, emails: list[str]) -> None:
    project.setenv(EMAILS=json.dumps(emails))


def test_what_fails_does_not_take_the_rest_along(roster: Project, accounts: Accounts) -> None:
    """The good users' readers are created, the update fails with a line a reason, the next tries the rest alone."""
    emails = [f"user{n}@customers.com" for n in range(20)]
    for n in (3, 5):
        accounts.create(f"user{n}@orchestrator.com")
    of(roster, emails)
    roster.setenv(SINKS="yes")
    failed = roster.up(check=False)
    print(failed.output)
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

    adopted = {f"user{n}@customers.com": user.api_key for n in (3, 5) for user in accounts.users if f"user{n}@" in user.email}
    roster.setenv(KEYS=json.dumps(adopted))
    roster.up()
    assert len(accounts.record.entries) == 20
    assert json.loads(roster.output("api_keys")) == {
        user.email.replace("orchestrator", "customers"): user.api_key for user in accounts.users
    }
    roster.setenv(KEYS=None)
    roster.pulumi("preview", "--expect-no-changes")
