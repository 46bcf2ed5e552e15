"""The program as ``pulumi up`` runs it: a real engine, and an OpenFunnel on this machine."""

import runpy
import sys
from pathlib import Path

import pytest
from pulumi import automation

from pulumi_openfunnel.testing import Fault, LocalOpenFunnel

PROGRAM = Path(__file__).parents[1] / "__main__.py"
CONFIG = {
    "enterprise": automation.ConfigValue('{"cust-17": "alice@alice-startup.com"}'),
    "customers": automation.ConfigValue('{"cust-101": "bob@bobs-bikes.com"}'),
}


def program() -> None:
    """The whole program."""
    runpy.run_path(str(PROGRAM), run_name="__main__")


@pytest.fixture
def stack(openfunnel_api: LocalOpenFunnel, tmp_path: Path) -> automation.Stack:
    """An empty stack, whose state is a file of the test."""
    (tmp_path / "state").mkdir()
    environment = openfunnel_api.environment | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_PYTHON_CMD": sys.executable,
    }
    made = automation.create_stack(
        "test",
        project_name="tested",
        program=program,
        opts=automation.LocalWorkspaceOptions(env_vars=environment),
    )
    made.set_all_config(CONFIG)
    return made


def test_up_creates_the_users(stack: automation.Stack, openfunnel_api: LocalOpenFunnel) -> None:
    outputs = stack.up().outputs
    keys = {user.email: user.api_key for user in openfunnel_api.users}
    assert outputs["cust-17.settings"].value == f"OPENFUNNEL_API_KEY={keys['cust-17@orchestrator.com']}"
    assert outputs["keys"].value == {"cust-101": keys["bob@orchestrator.com"]}
    assert all(output.secret for output in outputs.values())
    assert set(stack.up().summary.resource_changes or {}) == {"same"}


def test_a_refused_user_fails_the_update(stack: automation.Stack, openfunnel_api: LocalOpenFunnel) -> None:
    openfunnel_api.add_user("cust-17@orchestrator.com")
    with pytest.raises(automation.CommandError, match="exists already"):
        stack.up()
    assert [request.status for request in openfunnel_api.requests if request.status != 200] == [409]


def test_a_passing_fault_is_repeated(stack: automation.Stack, openfunnel_api: LocalOpenFunnel) -> None:
    openfunnel_api.fail_next(Fault.ERROR)
    stack.up()
    assert sorted(request.status or 0 for request in openfunnel_api.requests) == [200, 200, 500]
