"""What the ledger is for: kills, and users that come back."""

from __future__ import annotations

import subprocess
import sys
import time

from harness import UP, Project, wait_until
from harness.processes import living_on
from harness.runbook import up_after_a_kill
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

USERS = """
    import os
    import pulumi_openfunnel as openfunnel

    for name in os.environ["USERS"].split():
        openfunnel.ProvisionedUser(name, email=f"{name.removeprefix('new-')}@customers.com")
"""


def test_the_same_key_comes_back(project: Project, accounts: Accounts) -> None:
    """After destroy, a rename without aliases, and a state that was deleted: without a request; what holds it says so."""
    project.up()
    key = project.output("api_key")
    [warning] = project.pulumi("destroy", "--yes", "--skip-preview").warnings
    assert f"The key waits in the ledger, {project.ledger}" in warning
    assert "released" in _ledger(project)
    assert "key taken from the ledger; no new one was requested." in project.up().output
    assert project.output("api_key") == key

    renamed = project.directory / "__main__.py"
    renamed.write_text(renamed.read_text().replace('ProvisionedUser("alice"', 'ProvisionedUser("renamed"'))
    done = project.up()
    assert ("1 created" in done.output, "1 deleted" in done.output, done.warnings) == (True, True, [])
    assert project.output("api_key") == key
    project.pulumi("state", "delete", "--yes", project.resources()["renamed"]["urn"])
    project.up()
    assert project.output("api_key") == key
    assert len(accounts.record.entries) == 1
    assert project.grep(key) == project.grep(PROVISIONER_KEY) == []


def test_a_second_customer_never_gets_the_firsts_key(new_project: NewProject) -> None:
    """Not even from a server that would hand it out: the preview fails, and nobody is asked."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
    with serve(accounts) as api:
        project = new_project()
        project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        project.up()
        project.pulumi("destroy", "--yes", "--skip-preview")
        project.write('import pulumi_openfunnel as o; o.ProvisionedUser("alice", email="alice@elsewhere.com")')
        failed = project.pulumi("preview", check=False)
    assert any("alice@orchestrator.com: the ledger knows it as the user of alice@" in error for error in failed.errors)
    assert len(accounts.record.entries) == 1


def test_a_killed_update_is_taken_up_where_it_was(new_project: NewProject) -> None:
    """The CLI is killed while users are being created: what was answered is handed over, nobody is asked for twice."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])
    with serve(accounts, latency=1.0) as api:
        project = new_project(USERS)
        project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        project.setenv(USERS=" ".join(f"user{n}" for n in range(12)))
        running = project.start(*UP)
        assert wait_until(lambda: accounts.users, 60)
        running.kill()
        running.wait()
        done = up_after_a_kill(project)
        asked = [entry.email for entry in accounts.record.entries]
    assert len(asked) == len(set(asked)) == 12
    state = {name: r for name, r in project.resources().items() if name.startswith("user")}
    assert len(state) == 12
    assert "key taken from the ledger; no new one was requested." in done.output
    assert wait_until(lambda: not living_on(project.home), 30), living_on(project.home)


def test_after_ctrl_c_no_request_starts(new_project: NewProject) -> None:
    """The first Ctrl-C lets what runs come to its end, and the next update asks for the rest alone."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])
    with serve(accounts, latency=1.5) as api:
        project = new_project(USERS)
        project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        project.setenv(USERS=" ".join(f"user{n}" for n in range(12)))
        running = project.start(*UP, "--parallel", "3")
        assert wait_until(lambda: accounts.users, 60)
        running.interrupt()
        interrupted = time.time()
        running.wait()
        late = [entry.at - interrupted for entry in accounts.record.entries if entry.at > interrupted + 0.5]
        assert late == []
        assert len(accounts.users) < 12
        project.up()
        asked = [entry.email for entry in accounts.record.entries]
    assert len(asked) == len(set(asked)) == 12


def _ledger(project: Project) -> str:
    """What the command lists."""
    return subprocess.run(
        [sys.executable, "-m", "pulumi_openfunnel", "ledger", "--ledger", str(project.ledger)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
