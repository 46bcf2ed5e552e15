"""The template, as ``pulumi new`` makes a project of it, with the wheel of this checkout instead of a released one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "python"
KEY = f"of_{secrets.token_urlsafe(24)}"
INSTALLS = 300.0  # seconds, at most, for what pip installs


@pytest.mark.long
def test_a_new_project_provisions_its_csv(index: Mapping[str, str], tmp_path: Path) -> None:
    """It asks for the user id alone, brings the workflow, installs, and creates the customers of its file; keys stay secret."""
    accounts = Accounts([Account(ORCHESTRATOR, KEY)])
    project = Project(tmp_path, directory=tmp_path / "acme", patience=INSTALLS)
    with serve(accounts) as api:
        project.setenv(OPENFUNNEL_BASE_URL=api, **index)
        named = ("--name", "acme", "--stack", "prod", "--config", f"openfunnel:userId={ORCHESTRATOR}")
        made = project.pulumi("new", str(TEMPLATE), "--yes", *named)
        assert "pulumi config set --secret openfunnel:apiKey" in made.output
        project.pulumi("config", "set", "--secret", "openfunnel:apiKey", stdin=KEY)
        project.pulumi("preview")  # nobody is in the file yet
        with (project.directory / "customers.csv").open("a") as customers:
            customers.write("cust-1,alice@alice-startup.com\ncust-2,bob@bobs.com\n")
        done = project.up()
    keys = {user.email: user.api_key for user in accounts.users}
    assert json.loads(project.output("api_keys")) == {
        "cust-1": keys["alice@orchestrator.com"],
        "cust-2": keys["bob@orchestrator.com"],
    }
    assert (project.directory / ".github" / "workflows" / "openfunnel.yml").is_file()
    assert "\ntemplate:" not in (project.directory / "Pulumi.yaml").read_text()
    for key in (KEY, *keys.values()):
        assert key not in made.output + done.output
        assert project.grep(key) == []
