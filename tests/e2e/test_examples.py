"""The examples, as their pages tell to run them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

EXAMPLES = Path(__file__).parents[2] / "examples"
TABLES = Path(__file__).parent / "customers"
"""Customers as Excel wrote them: with a byte order mark, with semicolons, with a row of empty cells."""


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


@pytest.fixture
def roster(project: Project) -> Project:
    """The example's program and file."""
    for name in ("__main__.py", "customers.csv"):
        shutil.copy(EXAMPLES / "roster" / name, project.directory / name)
    return project


def test_roster(roster: Project, accounts: Accounts) -> None:
    """Four customers from the file, their keys as one document by id; a fifth is asked for alone, a domain for nobody."""
    roster.up()
    keys = {user.email: user.api_key for user in accounts.users}
    assert sorted(keys) == [f"{name}@orchestrator.com" for name in ("acme", "alice", "bob", "globex")]
    document = json.loads(roster.output("document"))
    assert document["1003"] == keys["acme@orchestrator.com"]
    assert sorted(document.values()) == sorted(keys.values())

    file = roster.directory / "customers.csv"
    file.write_text(file.read_text().replace("@bobs-bikes.com", "@bigcorp.com") + "1005,carol@carols-cars.com,\n")
    done = roster.up()
    assert (
        "customers: +1 (1005: carol@carols-cars.com), ~1 (1002: bob@bobs-bikes.com becomes bob@bigcorp.com, "
        in done.output
    )
    assert len(accounts.record.entries) == 5
    assert [path for key in keys.values() for path in roster.grep(key)] == []


def test_roster_from_excel(roster: Project, accounts: Accounts) -> None:
    """A byte order mark, semicolons, capitals, more columns, cells in another encoding, empty rows: the same customers."""
    text = (EXAMPLES / "roster" / "customers.csv").read_text()
    rows = [row.split(",") for row in text.replace("id,email,prefix", "ID, Email ,Prefix").splitlines()]
    table = "".join(";".join([*row, '"M\u00fcller; & Co"']) + "\r\n" for row in rows) + ";;;\r\n\r\n"
    roster.setenv(OPENFUNNEL_API_KEY=None)
    for content in (table.encode("utf-8-sig"), table.encode("cp1252"), text.replace("\n", "\r\n").encode("utf-8-sig")):
        (roster.directory / "customers.csv").write_bytes(content)
        previewed = roster.pulumi("preview").output
        assert (
            "customers: +4 (1001: alice@alice-startup.com, 1002: bob@bobs-bikes.com, 1003: info@acme.com, " in previewed
        )
    assert accounts.record.entries == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        *[(file.read_bytes(), "customers.csv has no column id.") for file in sorted(TABLES.glob("*.csv"))],
        (b"id;mail\r\n1;a@x.com\r\n", "customers.csv has no column email, prefix."),
        (b"", "customers.csv has no column id, email, prefix."),
        (b"id,email,prefix\n1,a@x.com,\n\n1,b@x.com,\n", "customers.csv, line 4: the id 1 is there twice."),
        (b"id,email,prefix\n,a@x.com,\n", "customers.csv, line 2: there is no id."),
        (b"id,email,prefix\n7\n", "customers: 7 is empty. Give addresses such as bob@b.com."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_roster_from_a_file_that_cannot_be_read(roster: Project, content: bytes, line: str) -> None:
    """One line names the column, the row or the id."""
    (roster.directory / "customers.csv").write_bytes(content)
    failed = roster.pulumi("preview", check=False)
    assert failed.status != 0
    assert line in failed.errors
    assert "Traceback" not in failed.output


def test_the_readme_shows_the_quickstart() -> None:
    """The README's program is the quickstart's, line for line, up to what it exports."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0].splitlines()
    quickstart = (EXAMPLES / "quickstart" / "__main__.py").read_text().splitlines()
    assert [line for line in shown if line not in quickstart] == []
    assert len(shown) >= 4
