"""Where keys are, and where they are not."""

from __future__ import annotations

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, Request, ScriptedServer, answer
from .projects import NewProject

STACK_READER = """
    import pulumi

    other = pulumi.StackReference("organization/project/dev")
    pulumi.export("passed_on", other.get_output("api_key"))
"""


@pytest.mark.parametrize(
    "verbose",
    [pytest.param((), id="quiet", marks=pytest.mark.long), pytest.param(("-v=8", "--logtostderr"), id="verbose")],
)
def test_no_key_is_ever_in_the_clear(new_project: NewProject, api: str, accounts: Accounts, verbose: list[str]) -> None:
    """Neither key is in any file or output of a whole life; the user's comes out only when asked for."""
    project = new_project()
    project.pulumi("config", "set", "openfunnel:userId", ORCHESTRATOR)
    project.pulumi("config", "set", "openfunnel:baseUrl", api)
    project.pulumi("config", "set", "--secret", "openfunnel:apiKey", stdin=PROVISIONER_KEY)
    runs = [
        project.pulumi("preview", "--diff", *verbose),
        project.up(*verbose),
        project.pulumi("stack", "export"),
        project.pulumi("stack", "output", "api_key"),
    ]
    [user] = accounts.users
    assert project.output("api_key") == user.api_key
    project.write(
        'import pulumi_openfunnel as o; o.ProvisionedUser("alice", email="alice@elsewhere.com")\n'
        'o.ProvisionedUser("bob", email="bob@b.com")'
    )
    runs += [
        project.pulumi("preview", "--diff", *verbose),
        project.up(*verbose),
        project.pulumi("refresh", "--yes", *verbose),
        project.pulumi("destroy", "--yes", *verbose),
    ]
    for key in (PROVISIONER_KEY, *(user.api_key for user in accounts.users)):
        assert [run.output for run in runs if key in run.output] == []
        assert project.grep(key) == []


def test_a_provisioner_key_from_the_environment_never_reaches_the_state(project: Project) -> None:
    """Not even encrypted: the state's one secret of ours is the user's key."""
    project.up()
    assert project.grep(PROVISIONER_KEY) == []
    assert PROVISIONER_KEY not in project.pulumi("stack", "export", "--show-secrets").output
    secret = {name for name, value in project.resources()["alice"]["outputs"].items() if isinstance(value, dict)}
    assert secret == {"api_key"}


def test_the_key_stays_secret_in_another_stack(new_project: NewProject, project: Project, accounts: Accounts) -> None:
    """A StackReference passes the key on as a secret."""
    project.up()
    other = new_project(STACK_READER, name="other")
    other.up()
    [user] = accounts.users
    assert other.output("passed_on") == user.api_key
    assert other.grep(user.api_key) == []


def test_a_key_in_the_clear_in_the_config_warns(project: Project, accounts: Accounts) -> None:
    """The config is a file that is committed: a warning says how to make the key a secret."""
    project.setenv(OPENFUNNEL_API_KEY=None)
    project.pulumi("config", "set", "--plaintext", "openfunnel:apiKey", PROVISIONER_KEY)
    project.pulumi("config", "set", "--path", "openfunnel:orchestrators.acme.apiKey", "of_acme")
    [warning, another] = project.up().warnings
    assert warning.startswith("openfunnel:apiKey holds a key in the clear in the stack's config")
    assert another.startswith("openfunnel:orchestrators holds a key in the clear in the stack's config")
    assert "of_" not in warning + another
    assert len(accounts.users) == 1


@pytest.mark.parametrize("key", ["of_one\nof_two", "of_one of_two"])
def test_a_broken_provisioner_key_is_not_shown(project: Project, accounts: Accounts, key: str) -> None:
    """A key that no header can carry fails at preview, in one line without the key."""
    project.setenv(OPENFUNNEL_API_KEY=key)
    preview = project.pulumi("preview", check=False)
    [error] = preview.errors
    assert "openfunnel:apiKey holds a space, a line break or another character no key has" in error
    assert "of_" not in preview.output.replace("openfunnel", "")
    assert accounts.users == []


def test_an_echoing_server_and_a_proxy_learn_and_tell_nothing(
    project: Project, server: ScriptedServer, other_server: ScriptedServer
) -> None:
    """What a server echoes of the request is not shown, and a loopback base URL passes a proxy by."""

    def echo(request: Request) -> list[bytes]:
        return [answer(500, {"error_code": request.headers["x-api-key"], "message": str(request.headers)})]

    server.script = echo
    project.pulumi("config", "set", "openfunnel:timeout", "1")
    project.setenv(
        OPENFUNNEL_BASE_URL=server.base_url, HTTP_PROXY=other_server.base_url, ALL_PROXY=other_server.base_url
    )
    failed = project.up(check=False)
    assert failed.status != 0
    assert any("alice@orchestrator.com: OpenFunnel answered 500." in error for error in failed.errors)
    assert PROVISIONER_KEY not in failed.output
    assert project.grep(PROVISIONER_KEY) == []
    assert {request.method for request in server.requests} == {"GET", "POST"}
    assert other_server.requests == []
