"""A user's life through the real CLI."""

from __future__ import annotations

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

READER = """
    import os
    import pulumi
    import pulumi_openfunnel as openfunnel
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class SinkProvider(ResourceProvider):
        def create(self, props):
            return CreateResult("sink", props)

    class Sink(Resource):
        def __init__(self, name, value, opts=None):
            super().__init__(SinkProvider(), name, {"value": value}, opts)

    user = openfunnel.ProvisionedUser("user", email=os.environ["EMAIL"])
    Sink("sink", user.api_key)
"""


def test_up_creates_the_user_and_keeps_the_key(project: Project, accounts: Accounts) -> None:
    """A preview creates nothing, up creates one user, a second up changes nothing, destroy warns."""
    preview = project.pulumi("preview")
    assert accounts.users == []
    assert 'internal_email: "alice@orchestrator.com"' in preview.output

    project.up()
    [user] = accounts.users
    assert project.output("api_key") == user.api_key
    assert project.resources()["alice"]["id"] == str(user.id)

    project.up("--expect-no-changes")
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert accounts.users == [user]

    project.setenv(OPENFUNNEL_USER_ID=None, OPENFUNNEL_API_KEY=None, OPENFUNNEL_BASE_URL=None)
    [warning] = project.pulumi("destroy", "--yes", "--skip-preview").warnings
    assert warning.startswith("alice@orchestrator.com: removed from the stack only: ")


def test_what_is_no_change_shows_no_diff(project: Project, accounts: Accounts) -> None:
    """Another spelling of the address, a rotated provisioner key and another base URL change nothing."""
    project.up()
    project.write(
        """
        import pulumi_openfunnel as openfunnel
        openfunnel.ProvisionedUser("alice", email="  Alice@Alice-Startup.com ")
        """
    )
    project.setenv(OPENFUNNEL_API_KEY="of_rotated", OPENFUNNEL_BASE_URL="https://elsewhere.example.com")
    resources = project.pulumi("preview", "--diff").output
    assert "ProvisionedUser" not in resources
    assert len(accounts.users) == 1


def test_a_replacement_that_fails_touches_nothing(new_project: NewProject) -> None:
    """The new user is created first: when that fails, the old one and what reads its key are still there."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])
    accounts.create("bob@orchestrator.com")
    with serve(accounts) as base_url:
        project = new_project(READER)
        project.setenv(
            OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=base_url
        )
        project.setenv(EMAIL="alice@a.com")
        project.up()
        before = project.resources()

        project.setenv(EMAIL="bob@a.com")
        failed = project.up(check=False)
        assert failed.status != 0
        assert [error for error in failed.errors if "bob@orchestrator.com: exists already (409)" in error]

        project.setenv(EMAIL="alice@a.com")
        project.up("--expect-no-changes")
        after = project.resources()
    for name in ("user", "sink"):
        assert (after[name]["id"], after[name]["created"]) == (before[name]["id"], before[name]["created"])


def test_another_domain_of_the_orchestrator_replaces(project: Project) -> None:
    """The internal email is made in check, so a change of the orchestrator shows at preview."""
    project.up()
    project.setenv(OPENFUNNEL_USER_ID="guy@other.com")
    preview = project.pulumi("preview", "--diff").output
    assert '~ internal_email : "alice@orchestrator.com" => "alice@other.com"' in preview
    assert "+-1 to replace" in preview
