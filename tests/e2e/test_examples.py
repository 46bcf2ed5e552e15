"""The examples, as their pages tell to run them."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_is_run_here() -> None:
    """An example without a test would rot."""
    assert sorted(path.name for path in EXAMPLES.iterdir()) == ["adoption", "quickstart", "roster"]


def test_quickstart(project: Project, accounts: Accounts) -> None:
    """One user, its internal email and its key."""
    project.write((EXAMPLES / "quickstart" / "__main__.py").read_text())
    project.up()
    [user] = accounts.users
    assert (project.output("alice_internal_email"), project.output("alice_api_key")) == (user.email, user.api_key)


def test_adoption(new_project: NewProject, accounts: Accounts, api: str) -> None:
    """Two users that exist come in without a provisioner key; then one gets a successor of a leaked key."""
    keys = {name: accounts.create(f"{name}@orchestrator.com").api_key for name in ("alice", "bob")}
    project = new_project((EXAMPLES / "adoption" / "__main__.py").read_text())
    project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_BASE_URL=api)
    for name, key in keys.items():
        project.pulumi("config", "set", "--path", f"users.{name}", f"{name}@{name}-startup.com")
        project.pulumi("config", "set", "--secret", f"{name}Key", stdin=key)
    project.up()
    assert {name: project.output(f"{name}_api_key") for name in keys} == keys

    project.pulumi("config", "rm", "bobKey")
    successor = accounts.create("alice-again@orchestrator.com").api_key
    project.pulumi("config", "set", "--secret", "aliceKey", stdin=successor)
    fingerprint = project.output("alice_fingerprint")
    assert "1 updated" in project.up().output
    assert project.output("alice_api_key") == successor
    assert project.output("alice_fingerprint") != fingerprint
    for key in (*keys.values(), successor, PROVISIONER_KEY):
        assert project.grep(key) == []


def test_roster(project: Project, accounts: Accounts) -> None:
    """Four customers from the file, their keys as one document; a fifth is asked for alone."""
    customers = (EXAMPLES / "roster" / "customers.csv").read_text()
    project.write((EXAMPLES / "roster" / "__main__.py").read_text())
    (project.directory / "customers.csv").write_text(customers)
    project.up()
    keys = {user.email: user.api_key for user in accounts.users}
    assert sorted(keys) == [f"{name}@orchestrator.com" for name in ("acme", "alice", "bob", "globex")]
    assert sorted(json.loads(project.output("document")).values()) == sorted(keys.values())

    (project.directory / "customers.csv").write_text(customers + "carol@carols-cars.com,\n")
    project.up()
    assert len(accounts.record.entries) == 5
    assert [path for key in keys.values() for path in project.grep(key)] == []


def test_the_readme_shows_the_quickstart() -> None:
    """The README's program is the quickstart's, line for line, up to what it exports."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0].splitlines()
    quickstart = (EXAMPLES / "quickstart" / "__main__.py").read_text().splitlines()
    assert [line for line in shown if line not in quickstart] == []
    assert len(shown) >= 4
