"""What an operator sees when something is wrong."""

from __future__ import annotations

import json

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, ScriptedServer, answer
from .projects import NewProject

EACH_BAD = """
    import os
    import pulumi_openfunnel as openfunnel
    openfunnel.ProvisionedUser("bad", email=os.environ["EMAIL"])
"""

BAD = [("", "empty"), ("bob\n@@b.com", "more than one @"), ("Bob <bob@b.com>", "a display name")]


def test_each_bad_address_fails_the_preview_in_one_line(new_project: NewProject) -> None:
    """The line names the property, repeats the address and gives the reason."""
    project = new_project(EACH_BAD)
    project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY)
    for email, reason in BAD:
        project.setenv(EMAIL=email)
        preview = project.pulumi("preview", check=False)
        assert preview.status != 0
        [error] = preview.errors
        assert "email " in error
        assert reason.lower() in error.lower()
        assert error.endswith("Give one address, such as bob@b.com.")


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"OPENFUNNEL_USER_ID": None}, "pulumi config set openfunnel:userId you@yourco.com"),
        ({"OPENFUNNEL_USER_ID": "guy"}, "pulumi config set openfunnel:userId you@yourco.com"),
        (
            {"OPENFUNNEL_BASE_URL": "api.openfunnel.dev"},
            "pulumi config set openfunnel:baseUrl https://api.openfunnel.dev",
        ),
        ({"OPENFUNNEL_BASE_URL": "http://10.0.0.1"}, "pulumi config set openfunnel:baseUrl https://api.openfunnel.dev"),
    ],
)
def test_a_wrong_setting_fails_the_preview_in_one_line(
    project: Project, environment: dict[str, str | None], command: str
) -> None:
    """The line says which command sets it."""
    project.setenv(**environment)
    preview = project.pulumi("preview", check=False)
    assert preview.status != 0
    [error] = preview.errors
    assert f"Run: {command}" in error


def test_without_a_key_a_preview_warns_and_an_up_fails(project: Project, accounts: Accounts) -> None:
    """A pull request's job need not hold the key."""
    project.setenv(OPENFUNNEL_API_KEY=None)
    [warning] = project.pulumi("preview").warnings
    assert warning.startswith(
        "alice@orchestrator.com: can be previewed, but not created: openfunnel:apiKey is not set."
    )
    failed = project.up(check=False)
    assert failed.status != 0
    assert any(error.startswith("openfunnel:apiKey is not set.") for error in failed.errors)
    assert accounts.users == []


def test_the_request_is_the_documented_one(project: Project, server: ScriptedServer) -> None:
    """One POST with the three headers and the internal email, and nothing like it at preview."""
    server.answers(200, {"id": "usr_1", "email": "alice@orchestrator.com", "api_key": "of_alice_0123456789"})
    project.setenv(OPENFUNNEL_BASE_URL=server.base_url)
    project.pulumi("preview")
    assert {request.method for request in server.requests} == {"GET"}  # the provisioner key is tried
    project.up()
    [request] = [request for request in server.requests if request.method != "GET"]
    assert (request.method, request.path) == ("POST", "/api/v1/admin/create-user")
    assert request.headers["x-api-key"] == PROVISIONER_KEY
    assert request.headers["x-user-id"] == ORCHESTRATOR
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"email": "alice@orchestrator.com"}
    assert project.resources()["alice"]["id"] == "usr_1"


@pytest.mark.long
def test_an_answer_that_proves_nothing_stores_nothing(project: Project, server: ScriptedServer) -> None:
    """Each 200 that is not believed is one clear line, and no resource; a redirect is not followed."""
    good = {"id": 1, "email": "alice@orchestrator.com", "api_key": "of_alice_0123456789"}
    project.setenv(OPENFUNNEL_BASE_URL=server.base_url)
    for body, reason in [
        (b"<html>of_alice_0123456789</html>", "no JSON object"),
        (good | {"api_key": ""}, "without a usable api_key"),
        (good | {"id": None}, "without a usable id"),
        (good | {"email": "bob@orchestrator.com"}, "not for the email that was asked for"),
    ]:
        server.answers(200, body)
        failed = project.up(check=False)
        assert failed.status != 0
        assert [error for error in failed.errors if error.startswith("alice@orchestrator.com: ") and reason in error]
        assert "of_alice_0123456789" not in failed.output
        assert "alice" not in project.resources()
    server.script = lambda _request: [answer(307, b"", {"Location": f"{server.base_url}/elsewhere"})]
    failed = project.up(check=False)
    assert any("a redirect, which is never followed with a key" in error for error in failed.errors)
    assert "/elsewhere" not in {request.path for request in server.requests}
