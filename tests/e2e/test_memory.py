"""What one operation remembers of its stack, where no ledger does: one user, one key, one end user."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import pytest

from harness import Done, Project
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

HEAD = """
import os
import pulumi
import pulumi_openfunnel as openfunnel

"""
ALICE = 'openfunnel.ProvisionedUser("alice", email="info@a.com")'
MOVED = 'openfunnel.ProvisionedUser("alice", email="boss@a.com")'
BOB = 'openfunnel.ProvisionedUser("bob", email="info@b.com")'


@pytest.fixture(
    params=[
        pytest.param(Existing.SAME_KEY, id="same key", marks=pytest.mark.long),
        pytest.param(Existing.CONFLICT, id="conflict"),
    ]
)
def existing(request: pytest.FixtureRequest) -> Existing:
    """What OpenFunnel answers for a user that exists: its key, or that it exists."""
    found: Existing = request.param
    return found


@pytest.fixture
def accounts(existing: Existing) -> Accounts:
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=existing)


@pytest.fixture
def forgetful(new_project: NewProject, accounts: Accounts) -> Iterator[Project]:
    """A project without a ledger; no key is ever in the clear."""
    with serve(accounts) as api:
        made = new_project()
        made.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        made.setenv(OPENFUNNEL_LEDGER="off")
        yield made
        assert [user for user in accounts.users if made.grep(user.api_key)] == []


def _write(project: Project, *declarations: str) -> None:
    project.write(HEAD + "\n".join(textwrap.dedent(declaration) for declaration in declarations))


def _fails(project: Project, *command: str) -> Done:
    done = project.pulumi(*(command or ("preview",)), check=False)
    assert done.status != 0, done.output
    return done


def _after(other: str, declaration: str) -> str:
    """A declaration that the engine sees only once another one is done."""
    return f"{declaration.removesuffix(')')}, opts=pulumi.ResourceOptions(depends_on=[{other}]))"


UP = ("up", "--yes", "--skip-preview")


@pytest.mark.parametrize("first", ["the holder", "the newcomer"])
def test_a_newcomer_does_not_get_the_user_that_another_one_leaves(
    forgetful: Project, existing: Existing, first: str
) -> None:
    """In one update one moves to another address, and a newcomer has its old internal email, in both orders."""
    _write(forgetful, ALICE)
    forgetful.up()
    if first == "the holder":
        _write(forgetful, f"alice = {MOVED}", _after("alice", BOB))
    else:
        _write(forgetful, f"bob = {BOB}", _after("bob", MOVED))
    failed = _fails(forgetful, *UP)
    told = failed.output.partition("Diagnostics:")[2]
    if first == "the holder" or existing is Existing.SAME_KEY:
        assert "info@orchestrator.com: it is the user of info@a.com in this stack, and info@b.com " in told
    else:
        assert "info@orchestrator.com: exists already (409)" in told
    if first == "the holder":
        assert "bob" not in forgetful.resources()


def test_a_target_does_not_hide_who_holds_a_user(forgetful: Project, existing: Existing) -> None:
    """The engine shows nothing of whom it leaves out: the program compares what comes back, and names both."""
    _write(forgetful, ALICE)
    forgetful.up()
    _write(forgetful, MOVED, BOB)
    target = forgetful.resources()["alice"]["urn"].replace("::alice", "::bob")
    told = _fails(forgetful, *UP, "--target", target).output
    if existing is Existing.SAME_KEY:
        assert (
            '"alice" holds info@orchestrator.com in this stack, and "bob" is another end user: both may have one'
            in told
        )
    else:
        assert "info@orchestrator.com: exists already (409)" in told


def test_a_removed_user_beside_a_newcomer_is_warned_of(forgetful: Project, existing: Existing) -> None:
    """The engine shows the one that leaves only when the other one is there: a warning names both."""
    _write(forgetful, ALICE)
    forgetful.up()
    _write(forgetful, BOB)
    if existing is Existing.CONFLICT:
        assert "info@orchestrator.com: exists already (409)" in _fails(forgetful, *UP).output
        assert forgetful.resources()["alice"]["id"] == "1"
        return
    [warning] = [line for line in forgetful.up().warnings if line.startswith("info@orchestrator.com: ")]
    assert "was removed from the stack for one end user and got for another one, with the same key" in warning
    assert warning.endswith("(info@a.com and info@b.com)")


def test_the_same_customer_keeps_its_user(forgetful: Project, accounts: Accounts) -> None:
    """Under another resource name with an alias, or a changed address, nothing is refused and nobody is asked for."""
    _write(forgetful, ALICE)
    forgetful.up()
    key = json.dumps(forgetful.resources()["alice"]["outputs"]["key_fingerprint"])
    renamed = ALICE.replace('"alice"', '"customer-1"').replace("@a.com", "@bigcorp.com")
    alias = 'opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="alice")])'
    _write(forgetful, renamed.replace('com")', f'com", {alias})'))
    forgetful.up()
    assert json.dumps(forgetful.resources()["customer-1"]["outputs"]["key_fingerprint"]) == key
    assert len(accounts.record.entries) == 1
