"""GitLab's pipeline, its scripts run as a runner runs them; state and ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import wait_until
from pulumi_openfunnel.simulator import Accounts, Existing, serve

from .owner import (
    COMES,
    CUSTOMERS,
    LEDGER_KEY,
    MANY,
    PASSPHRASE,
    PROVISIONER_KEY,
    NewOwner,
    Owner,
    answered,
    asked_again,
    half_held,
    holds,
    keys_of,
    port_of,
    shows_no_secret,
    slow,
)
from .places import Database
from .runner import Runner
from .workflows import gitlab

PREVIEW = {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
UP = {**PREVIEW, "OPENFUNNEL_API_KEY": PROVISIONER_KEY, "OPENFUNNEL_LEDGER_KEY": LEDGER_KEY}

pytestmark = pytest.mark.long

NewRunner = Callable[..., Runner]


@pytest.fixture
def new_runner(tmp_path: Path, environment: Path) -> NewRunner:
    """Makes a runner for a job of the pipeline: ``pulumi install`` is spared, because the step "Install" of GitHub's ran it."""
    made: list[Runner] = []

    def make(job: str, owner: Owner, place: Database, api: str) -> Runner:
        root = tmp_path / f"runner-{len(made)}"
        predefined = {"CI_PROJECT_DIR": str(root / "workspace"), "CI_JOB_ID": "7", "AWS_TOKEN": "a.web.token"}
        found = gitlab(job, place.names, predefined | (PREVIEW if job == "preview" else UP), "pulumi install")
        runner = Runner(root, owner.program, found, {"OPENFUNNEL_BASE_URL": api, "GITLAB_CI": "true"})
        runner.with_installed(environment)
        made.append(runner)
        return runner

    return make


def _cancel(runner: Runner, when: Callable[[], object]) -> None:
    """Start its job, and cancel it once that is true; the job fails."""
    running = runner.start_piped("script")
    assert wait_until(when, COMES)
    runner.cancel_as_gitlab(running, 6.0)  # seconds, as GitLab has it
    assert runner.ended(running, check=False).status != 0


def test_a_merge_request_shows_what_it_would_do(
    database: Database, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts, api: str
) -> None:
    """In a file that becomes the artifact; nothing of OpenFunnel's is known to the job, and nobody is asked for."""
    runner = new_runner("preview", new_owner(database), database, api)
    runner.ended(runner.start_piped("script"))
    assert f"customers: +{CUSTOMERS} (" in (runner.workspace / "preview.txt").read_text()
    assert (runner.workspace / ".aws-token").stat().st_mode & 0o077 == 0
    assert accounts.record.entries == []
    assert shows_no_secret(runner, accounts)


def test_a_cancelled_update_ends_in_order(
    database: Database, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts
) -> None:
    """Requests on their way come to their end, although each process is told to end; the retried job asks for the others alone."""
    owner = new_owner(database)
    owner.declare(MANY)
    with serve(accounts, faults=slow()) as api:
        cancelled = new_runner("up", owner, database, api)
        _cancel(cancelled, lambda: accounts.record.entries)
    assert 0 < database.answers() == len(accounts.record.entries) < MANY
    with serve(accounts, port_of(api)) as api:
        retried = new_runner("up", owner, database, api)
        retried.ended(retried.start_piped("script", UNLOCK="true"))
    assert len(accounts.record.entries) == MANY
    assert set(owner.keys().values()) == keys_of(accounts)
    assert shows_no_secret(cancelled, accounts)
    assert shows_no_secret(retried, accounts)


def test_a_cancelled_update_is_made_up_for(
    database: Database, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts
) -> None:
    """Whichever process ends first, the next job asks again for those alone that had no answer, and gets every key."""
    accounts.existing = Existing.SAME_KEY
    owner = new_owner(database)
    with serve(accounts, faults=half_held(COMES)) as api:
        cancelled = new_runner("up", owner, database, api)
        _cancel(cancelled, lambda: holds(accounts) and database.answers() == answered(accounts))
    unanswered = holds(accounts)
    cancelled.ended(cancelled.start_piped("after_script", CI_JOB_STATUS="canceled"))
    assert "Retry this job" in cancelled.said
    with serve(accounts, port_of(api)) as api:
        retried = new_runner("up", owner, database, api)
        retried.ended(retried.start_piped("script", UNLOCK="true"))
    assert asked_again(accounts) <= unanswered
    assert set(owner.keys().values()) == keys_of(accounts)
    assert shows_no_secret(cancelled, accounts)
    assert shows_no_secret(retried, accounts)
