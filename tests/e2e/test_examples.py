"""The examples, as their pages tell to run them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, ScriptedServer, answer
from ..sinks.test_sinks import CLOUDS
from .projects import NewProject

EXAMPLES = Path(__file__).parents[2] / "examples"
TABLES = Path(__file__).parent / "customers"
"""Customers as Excel wrote them: with a byte order mark, with semicolons, with a row of empty cells."""


HERE = {"adoption", "component", "orchestrators", "quickstart", "roster", "stack-reference", "tested"}
"""Those that are run here; the others, which need a cloud, in tests/sinks."""


def test_every_example_is_run() -> None:
    """An example without a test would rot."""
    assert {path.name for path in EXAMPLES.iterdir()} == HERE | {cloud.example for cloud in CLOUDS} | {"ci"}  # tests/ci


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


@pytest.mark.long
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


def _copied(project: Project, example: str) -> None:
    """Make an example's files the project's, but for Pulumi.yaml."""
    for file in (EXAMPLES / example).glob("*.py"):
        shutil.copyfile(file, project.directory / file.name)


def test_orchestrators(new_project: NewProject) -> None:
    """Each customer is created with its own orchestrator's key, at that one's domain."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY), Account("ann@acme.com", "of_acmes_provisioner")])
    project = new_project()
    _copied(project, "orchestrators")
    config = {
        "--plaintext openfunnel:userId": ORCHESTRATOR,
        "--secret openfunnel:apiKey": PROVISIONER_KEY,
        "--path --plaintext openfunnel:orchestrators.acme.userId": "ann@acme.com",
        "--path --secret openfunnel:orchestrators.acme.apiKey": "of_acmes_provisioner",
        "--path --plaintext customers.cust-17.email": "alice@alice-startup.com",
        "--path --plaintext customers.cust-18.email": "alice@elsewhere.com",
        "--path --plaintext customers.cust-18.orchestrator": "acme",
    }
    for setting, value in config.items():
        project.pulumi("config", "set", *setting.split(), stdin=value)
    with serve(accounts) as base_url:
        project.setenv(OPENFUNNEL_BASE_URL=base_url)
        project.up()
    assert {entry.email: entry.account for entry in accounts.record.entries} == {
        "alice@orchestrator.com": ORCHESTRATOR,
        "alice@acme.com": "ann@acme.com",
    }
    keys = {user.email: user.api_key for user in accounts.users}
    assert project.output("cust-18.api_key") == keys["alice@acme.com"]
    assert [path for key in (*keys.values(), "of_acmes_provisioner") for path in project.grep(key)] == []


@pytest.mark.long
def test_stack_reference(new_project: NewProject, project: Project, accounts: Accounts) -> None:
    """A customer's stack reads its own key from the users' stack; it is a secret in both."""
    _copied(project, "stack-reference/users")
    for id_, name in (("cust-17", "alice"), ("cust-18", "bob")):
        project.pulumi("config", "set", "--path", f"customers.{id_}", f"{name}@{name}-startup.com")
    project.up()
    reader = new_project(name="reader")
    _copied(reader, "stack-reference/reader")
    reader.pulumi("config", "set", "customer", "cust-18")
    reader.pulumi("config", "set", "users", "organization/project/dev")
    shown = reader.up().output
    alice, bob = (user.api_key for user in sorted(accounts.users, key=lambda user: user.email))
    assert json.loads(reader.output("settings")) == {"openfunnel": {"apiKey": bob}}
    assert reader.output("restarts_with") == project.output("cust-18.key_fingerprint")
    assert re.search(r"settings *: \[secret\]", shown)
    assert [path for key in (alice, bob) for path in project.grep(key)] == []


@pytest.mark.long
def test_component(project: Project, server: ScriptedServer, accounts: Accounts) -> None:
    """A customer's key is delivered, once; another one is delivered anew; one that leaves is taken back."""
    server.script = lambda _request: [answer(200, {})]
    _copied(project, "component")
    project.pulumi("config", "set", "service", server.base_url)
    for id_, name in (("cust-17", "alice"), ("cust-18", "bob")):
        project.pulumi("config", "set", "--path", f"customers.{id_}", f"{name}@{name}-startup.com")
    project.up()
    keys = {user.email.partition("@")[0]: user.api_key for user in accounts.users}
    assert _deliveries(server) == {
        ("PUT", "/customers/cust-17", keys["alice"]),
        ("PUT", "/customers/cust-18", keys["bob"]),
    }
    assert project.resources()["cust-17"]["parent"].endswith("example:index:Customer::cust-17")
    assert "unchanged" in project.up().output
    assert len(server.requests) == 2

    project.pulumi("config", "set", "--path", "customers.cust-17", "carol@alice-startup.com")
    project.pulumi("config", "rm", "--path", "customers.cust-18")
    server.requests.clear()
    project.up()
    [carol] = [user.api_key for user in accounts.users if user.email == "carol@orchestrator.com"]
    assert _deliveries(server) == {("PUT", "/customers/cust-17", carol), ("DELETE", "/customers/cust-18", None)}
    assert [path for key in (*keys.values(), carol) for path in project.grep(key)] == []


def _deliveries(server: ScriptedServer) -> set[tuple[str, str, str | None]]:
    """What the service was asked: method, path and key."""
    return {
        (request.method, request.path, json.loads(request.body)["openfunnel_api_key"] if request.body else None)
        for request in server.requests
    }


@pytest.mark.long
def test_tested(tmp_path: Path) -> None:
    """The example's own tests, as its page tells to run them: in a copy, and without the plugins that a user has not."""
    project = shutil.copytree(EXAMPLES / "tested", tmp_path / "tested")
    without = [option for plugin in ("cacheprovider", "xdist", "hypothesispytest") for option in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error::pytest.PytestWarning", *without, "tests"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert re.search(r"^7 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_readme_shows_the_quickstart() -> None:
    """The README's program is the quickstart's, line for line, up to what it exports."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0].splitlines()
    quickstart = (EXAMPLES / "quickstart" / "__main__.py").read_text().splitlines()
    assert [line for line in shown if line not in quickstart] == []
    assert len(shown) >= 4
