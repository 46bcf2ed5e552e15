"""What users' type checkers and editors see."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pulumi_openfunnel
from pulumi_openfunnel import testing

HERE = Path(__file__).parent
PROGRAM = HERE / "user_program.py"


def test_the_program_uses_every_public_name() -> None:
    """What is not used there is not checked."""
    source = PROGRAM.read_text()
    names = [f"openfunnel.{name}(" for name in pulumi_openfunnel.__all__] + testing.__all__
    assert [name for name in names if name not in source] == []


def test_pyright_finds_nothing() -> None:
    """In its strict mode, with the annotations alone; mypy --strict looks at it in make check."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "-p",
        str(HERE / "pyrightconfig.json"),
        "--pythonpath",
        sys.executable,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "0 errors, 0 warnings" in done.stdout, done.stdout


def test_the_public_surface() -> None:
    """Names and arguments that programs rest on: a change here is a change for users, and stands in CHANGELOG."""
    assert pulumi_openfunnel.__all__ == ["ProvisionedUser", "ProvisionedUsers"]
    assert testing.__all__ == ["Fault", "LocalOpenFunnel", "Mocks", "User", "local_openfunnel", "openfunnel_api"]
    user, roster = pulumi_openfunnel.ProvisionedUser, pulumi_openfunnel.ProvisionedUsers
    assert _arguments(user) == "name *email prefix email_mapping orchestrator existing_api_key opts"
    assert _arguments(roster) == (
        "name *emails prefixes existing_api_keys aliases email_mapping orchestrator max_removals opts"
    )
    assert _public(roster) == ["api_keys", "failed", "users"]
    local = ["add_user", "environment", "fail_next", "requests", "revoke", "users"]
    assert _public(testing.LocalOpenFunnel) == local
    assert {"users", "new_resource", "call"} <= set(_public(testing.Mocks))


def _arguments(of: type) -> str:
    """The arguments in order, a star before the first one that is given by name alone."""
    found = list(inspect.signature(of).parameters.values())
    by_name = next(one.name for one in found if one.kind is inspect.Parameter.KEYWORD_ONLY)
    return " ".join(f"*{one.name}" if one.name == by_name else one.name for one in found)


def _public(of: type) -> list[str]:
    return sorted(name for name in vars(of) if not name.startswith("_"))
