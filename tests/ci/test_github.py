"""GitHub's workflow, its steps run as a runner runs them."""

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
from .places import Bucket, Place
from .runner import Runner
from .workflows import github

REPOSITORY = "acme/users"
TOKEN = "ghs_token"

PREVIEW = {
    "secrets.PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    "github.token": TOKEN,
    "github.repository": REPOSITORY,
    "github.event.pull_request.number": "7",
}
UP = {
    "secrets.PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    "secrets.OPENFUNNEL_API_KEY": PROVISIONER_KEY,
    "secrets.OPENFUNNEL_LEDGER_KEY": LEDGER_KEY,
}

GH = """#!/bin/sh
# A stand-in for GitHub's own CLI that keeps one comment beside itself.
kept=$(dirname "$0")/comment
case "$*" in
*--jq*) [ ! -e "$kept" ] || echo https://api.github.com/repos/acme/users/issues/comments/1 ;;
*--method*) cp comment.md "$kept" ;;
esac
echo "$*" >> "$(dirname "$0")/asked"
"""

pytestmark = pytest.mark.long

NewRunner = Callable[..., Runner]


@pytest.fixture
def new_runner(tmp_path: Path, environment: Path) -> NewRunner:
    """Makes a runner for a job of the workflow, which found everything installed."""
    made: list[Runner] = []

    def make(job: str, owner: Owner, place: Place, api: str) -> Runner:
        found = github(job, place.names, PREVIEW if job == "preview" else UP)
        root = tmp_path / f"runner-{len(made)}"
        machine = {**place.credentials(found.role), "OPENFUNNEL_BASE_URL": api, "GITHUB_ACTIONS": "true"}
        runner = Runner(root, owner.program, found, machine | {"GITHUB_STEP_SUMMARY": str(root / "summary.md")})
        runner.with_installed(environment)
        made.append(runner)
        return runner

    return make


def test_a_pull_request_shows_what_it_would_do(
    bucket: Bucket, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts, api: str, tmp_path: Path
) -> None:
    """The role may only read, nothing of OpenFunnel's is known to the job, and nothing is written; one comment is kept."""
    owner = new_owner(bucket)
    before = bucket.content()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    runner = new_runner("preview", owner, bucket, api)
    runner.put_on_path(programs)
    for customers in (CUSTOMERS, 1):
        (runner.workspace / "customers.csv").write_text((owner.program / "customers.csv").read_text())
        runner.run("Preview")
        runner.run("Comment")
        comment = (programs / "comment").read_text()
        assert f"customers: +{customers} (" in comment
        owner.declare(1)
    assert [line.split()[2] for line in (programs / "asked").read_text().splitlines() if "--silent" in line] == [
        "--method",
        "--method",
    ]
    assert bucket.content() == before
    assert accounts.record.entries == []
    assert shows_no_secret(runner, accounts)


def test_what_is_merged_is_applied_once(
    bucket: Bucket, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts, api: str
) -> None:
    """A job on one runner creates the users; the next, on another, asks for the newcomer alone."""
    owner = new_owner(bucket)
    owner.declare(3)
    first = new_runner("up", owner, bucket, api)
    first.run("Up")
    keys = owner.keys()
    assert set(keys.values()) == keys_of(accounts)
    owner.declare(4)
    second = new_runner("up", owner, bucket, api)
    second.run("Up")
    assert {customer: key for customer, key in owner.keys().items() if customer in keys} == keys
    assert len(accounts.record.entries) == 4
    assert shows_no_secret(first, accounts)
    assert shows_no_secret(second, accounts)


def test_a_cancelled_update_ends_in_order(
    bucket: Bucket, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts
) -> None:
    """Requests on their way come to their end, no other is started, and the next job asks for the others alone."""
    owner = new_owner(bucket)
    owner.declare(MANY)
    with serve(accounts, faults=slow()) as api:
        cancelled = new_runner("up", owner, bucket, api)
        running = cancelled.start("Up")
        assert wait_until(lambda: accounts.record.entries, COMES)
        cancelled.cancel_as_github(running, interrupt=COMES, terminate=COMES)
        assert cancelled.ended(running, check=False).status != 0
    assert 0 < bucket.answers() == len(accounts.record.entries) < MANY
    cancelled.run("What to do next")
    assert "Run this workflow again" in (cancelled.root / "summary.md").read_text()
    with serve(accounts, port_of(api)) as api:
        new_runner("up", owner, bucket, api).run("Up")
    assert len(accounts.record.entries) == MANY
    assert set(owner.keys().values()) == keys_of(accounts)
    assert shows_no_secret(cancelled, accounts)


def test_a_runner_is_thrown_away(
    bucket: Bucket, new_owner: NewOwner, new_runner: NewRunner, accounts: Accounts
) -> None:
    """A job beside it touches nothing; the one after it gets every key, and asks again for those alone that had no answer."""
    accounts.existing = Existing.SAME_KEY
    owner = new_owner(bucket)
    with serve(accounts, faults=half_held(COMES)) as api:
        lost, beside = (new_runner("up", owner, bucket, api) for _ in range(2))
        running = lost.start("Up")
        assert wait_until(lambda: holds(accounts) and bucket.answers() == answered(accounts), COMES)
        done = beside.run("Up", check=False)
        assert "the stack is currently locked" in done.output
        beside.run("What to do next")
        assert '"Unlock the stack first"' in beside.said
        assert "Another run" in beside.said
        assert not running.over
        assert shows_no_secret(lost, accounts)
        lost.throw_away(running)
    unanswered = holds(accounts)
    with serve(accounts, port_of(api)) as api:
        after = new_runner("up", owner, bucket, api)
        after.run("Unlock")
        after.run("Up")
    assert asked_again(accounts) == unanswered
    assert set(owner.keys().values()) == keys_of(accounts)
    assert shows_no_secret(beside, accounts)
    assert shows_no_secret(after, accounts)
