"""What operators do over the years: refresh, adopt, rename, protect, upgrade."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import Request, ScriptedServer, answer
from .projects import NewProject

STATES = sorted(path for path in (Path(__file__).parent / "states").iterdir() if path.is_dir())
ADOPTED = "of_adopted_0123456789"
SUCCESSOR = "of_successor_0123456789"
BALANCE = answer(200, {"total_credits": 200, "credits_used": 37.5, "credits_left": 162.5})
REFUSED = answer(401, {"error_code": "UNAUTHORIZED"})
EXISTS = answer(409, {"error_code": "USER_EXISTS"})

ADOPTING = """
    import os
    import pulumi
    import pulumi_openfunnel as openfunnel

    alice = openfunnel.ProvisionedUser("alice", email=os.environ["EMAIL"], existing_api_key=os.environ.get("KEY"))
    pulumi.export("api_key", alice.api_key)
"""

OPTIONS = """
    import pulumi
    import pulumi_openfunnel as openfunnel
    from pulumi import Alias, ResourceOptions

    def protect(args):
        return pulumi.ResourceTransformResult(args.props, ResourceOptions.merge(args.opts, ResourceOptions(protect=True)))

    first = openfunnel.ProvisionedUser("renamed", email="alice@a.com", opts=ResourceOptions(
        aliases=[Alias(name="alice")], transforms=[protect]))
    openfunnel.ProvisionedUser("bob", email="bob@b.com", opts=ResourceOptions(
        depends_on=[first], retain_on_delete=True, ignore_changes=["email"]))
"""


@pytest.mark.long
def test_a_refresh_under_an_outage_changes_nothing(
    project: Project, server: ScriptedServer, accounts: Accounts
) -> None:
    """The state is equal in all but time stamps, with one warning; a key that died is recorded as revoked."""
    project.up()
    project.pulumi("refresh", "--yes", "--skip-preview")  # any refresh drops the engine's own propertyDependencies
    before = _settled(project)
    project.setenv(OPENFUNNEL_BASE_URL=server.base_url)
    said = [answer(500), answer(429), answer(200, b"<html>"), REFUSED, b""]
    server.script = lambda _request: said[:1]
    while said:
        [warning] = project.pulumi("refresh", "--yes", "--skip-preview").warnings
        assert warning.startswith("alice@orchestrator.com: whether its key still works is not known. OpenFunnel ")
        assert _settled(project) == before
        said.pop(0)

    [user] = accounts.users
    server.script = lambda request: [REFUSED if request.headers["x-api-key"] == user.api_key else BALANCE]
    [warning] = project.pulumi("refresh", "--yes", "--skip-preview").warnings
    assert warning.startswith("alice@orchestrator.com: its key was revoked")
    assert project.resources()["alice"]["outputs"]["key_status"] == "revoked"
    asked = len(server.requests)
    server.script = lambda _request: [BALANCE]
    project.pulumi("refresh", "--yes", "--skip-preview")
    assert len(server.requests) == asked + 1  # the engine reads twice, the API is asked once
    assert project.resources()["alice"]["outputs"]["key_status"] == "active"
    project.pulumi("preview", "--expect-no-changes")


def _settled(project: Project) -> dict[str, Any]:
    """The resource without what every write of the state changes."""
    resources = project.deployment("--show-secrets")["resources"]
    [alice] = [resource for resource in resources if resource["urn"].endswith("::alice")]
    return {name: value for name, value in alice.items() if name != "modified"}


@pytest.mark.long
def test_adoption_in_all_its_moves(new_project: NewProject, server: ScriptedServer) -> None:
    """Exists; adopted without a provisioner key; argument gone; another key in; the key of another user not."""

    def script(request: Request) -> Iterable[bytes]:
        if request.method == "POST":
            return [EXISTS]
        return [BALANCE if request.headers["x-api-key"] in (ADOPTED, SUCCESSOR, "of_provisioner") else REFUSED]

    server.script = script
    project = new_project(ADOPTING)
    project.setenv(OPENFUNNEL_USER_ID="guy@orchestrator.com", OPENFUNNEL_BASE_URL=server.base_url)

    project.setenv(EMAIL="alice@a.com", OPENFUNNEL_API_KEY="of_provisioner")
    failed = project.up(check=False)
    assert any(
        e.startswith("alice@orchestrator.com: exists already (409)") and "existing_api_key" in e for e in failed.errors
    )
    project.setenv(OPENFUNNEL_API_KEY=None)

    project.setenv(KEY="of_nobodys")
    assert any("OpenFunnel refused existing_api_key (401)" in error for error in project.up(check=False).errors)
    assert "alice" not in project.resources()

    project.setenv(KEY=ADOPTED)
    assert project.up().warnings == []
    assert project.output("api_key") == ADOPTED
    assert project.resources()["alice"]["id"] == "alice@orchestrator.com"
    assert project.grep(ADOPTED) == []
    assert "existing_api_key" not in project.resources()["alice"]["outputs"]

    project.setenv(EMAIL="bob@b.com")
    [error] = project.pulumi("preview", check=False).errors
    assert error.startswith("existing_api_key is the key of alice@orchestrator.com and cannot become that of bob@")

    project.setenv(EMAIL="alice@a.com", KEY=None)
    project.up("--expect-no-changes")

    project.setenv(KEY=SUCCESSOR)
    done = project.up()
    assert "1 updated" in done.output
    assert project.output("api_key") == SUCCESSOR
    project.setenv(KEY=None)
    project.up("--expect-no-changes")
    assert project.output("api_key") == SUCCESSOR
    assert project.grep(ADOPTED) == project.grep(SUCCESSOR) == []


@pytest.mark.long
def test_the_usual_options_behave_as_everywhere(project: Project, accounts: Accounts) -> None:
    """aliases, protect from a transform, depends_on, ignore_changes, retain_on_delete, --target, --replace."""
    project.write('import pulumi_openfunnel as o; o.ProvisionedUser("alice", email="alice@a.com")')
    project.up()
    project.write(OPTIONS)
    done = project.up()
    assert [user.email for user in accounts.users] == ["alice@orchestrator.com", "bob@orchestrator.com"]
    assert "1 created" in done.output
    assert project.resources()["renamed"]["protect"] is True

    project.write(OPTIONS.replace("bob@b.com", "carol@c.com"))
    project.up("--expect-no-changes")
    bob = project.resources()["bob"]["urn"]
    project.up("--target", bob, "--expect-no-changes")
    project.pulumi("refresh", "--preview-only", "--expect-no-changes")
    project.up("--refresh", "--expect-no-changes")

    project.write(OPTIONS)
    replaced = project.up("--replace", bob)
    assert "bob@orchestrator.com: key taken from the ledger; no new one was requested." in replaced.output
    assert len(accounts.record.entries) == 2  # nobody was asked for again
    assert project.resources()["bob"]["id"] == "2"

    refused = project.pulumi("destroy", "--yes", "--skip-preview", check=False)
    assert refused.status != 0
    assert "renamed" in project.resources()
    project.write('import pulumi_openfunnel as o; o.ProvisionedUser("renamed", email="alice@a.com")')
    assert [w for w in project.up().warnings if "bob@" in w] == []  # retained: the engine never asked us
    project.pulumi("state", "delete", "--yes", project.resources()["renamed"]["urn"])
    assert "renamed" not in project.resources()


@pytest.mark.parametrize("saved", STATES, ids=[path.name for path in STATES])
def test_a_state_of_an_older_version_loads(project: Project, saved: Path) -> None:
    """A state that was written by a released version shows no diff, refreshes, and destroys, with a warning for each
    user and for each roster."""
    project.write((saved / "program.py").read_text())
    shutil.copy(saved / "stack.yaml", project.directory / "Pulumi.dev.yaml")
    project.pulumi("stack", "import", "--file", str(saved / "state.json"))
    project.pulumi("preview", "--expect-no-changes")
    before = project.resources()
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert {name: r.get("outputs", {}).keys() for name, r in project.resources().items()} == {
        name: r.get("outputs", {}).keys() for name, r in before.items()
    }
    types = [resource["type"].rpartition(":")[2] for resource in before.values()]
    declared = types.count("ProvisionedUser") + types.count("ProvisionedUsers")
    assert declared > 0
    assert len(project.pulumi("destroy", "--yes", "--skip-preview").warnings) == declared
