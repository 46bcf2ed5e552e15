"""A program under Pulumi's mocks, as users test theirs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
import json
import pulumi
from pulumi.runtime import Mocks, set_mocks

class OpenFunnel(Mocks):
    def new_resource(self, args):
        if args.typ == "openfunnel:index:ProvisionedUsers":
            return "team", args.inputs
        if args.typ == "pulumi-python:dynamic/openfunnel:ProvisionedUsersShard":
            users = {id_: {"internal_email": "it@orchestrator.com"} for id_ in json.loads(args.inputs["members"])}
            keys = {id_: "of_mocked" for id_ in users}
            mocked = {"users": users, "api_keys": keys} if {"mocked@b.com", "cust-1"} & users.keys() else {}
            return "team", args.inputs | mocked
        if args.typ == "pulumi-python:dynamic/openfunnel:ProvisionedUsersMembers":
            return "team", args.inputs
        assert args.typ == "pulumi-python:dynamic/openfunnel:ProvisionedUser", args.typ
        return "1", args.inputs | {"api_key": "of_mocked", "internal_email": "alice@orchestrator.com"}
    def call(self, args):
        return {}

set_mocks(OpenFunnel())
import pulumi_openfunnel as openfunnel

@pulumi.runtime.test
def check():
    alice = openfunnel.ProvisionedUser("alice", email="alice@alice-startup.com")
    async def look():
        assert await alice.api_key.is_secret(), "the key is no secret"
        assert await alice.api_key.future() == "of_mocked"
        assert await alice.internal_email.future() == "alice@orchestrator.com"
        assert not await alice.internal_email.is_secret()
        print("looked")
    return pulumi.Output.from_input(look())

@pulumi.runtime.test
def collide():
    first = openfunnel.ProvisionedUser("carol", email="carol@a.com")
    second = openfunnel.ProvisionedUser("dave", email="Carol@b.com")
    return pulumi.Output.all(first.email, second.email)

@pulumi.runtime.test
def roster():
    team = openfunnel.ProvisionedUsers("team", emails=["Mocked@B.com", "bare@b.com"])
    async def look():
        for output in (team.api_keys, team["mocked@b.com"].api_key):
            assert await output.is_secret(), "the key is no secret"
        assert await team.api_keys.future() == {"mocked@b.com": "of_mocked"}
        assert await team["mocked@b.com"].internal_email.future() == "it@orchestrator.com"
        assert await team["bare@b.com"].api_key.future() is None
        print("looked at the roster")
    return pulumi.Output.from_input(look())

@pulumi.runtime.test
def roster_by_id():
    late = pulumi.Output.from_input("late@b.com")
    team = openfunnel.ProvisionedUsers("other", emails={"cust-1": "one@b.com", "cust-2": late}, prefixes={"cust-2": "x"})
    async def look():
        assert await team["cust-1"].api_key.future() == "of_mocked"
        assert (len(team), list(team), "cust-1" in team) == (2, ["cust-1", "cust-2"], True)
        assert await team["cust-2"].api_key.future() is None
        print("looked at the roster by id")
    return pulumi.Output.from_input(look())

check()
check()
roster()
roster_by_id()
try:
    collide()
except pulumi.RunError as error:
    print(error)
for option in ({"import_": "1"}, {"id": "1"}):
    try:
        openfunnel.ProvisionedUser("bob", email="bob@b.com", opts=pulumi.ResourceOptions(**option))
    except pulumi.RunError as error:
        print(error)
"""


@pytest.mark.parametrize(
    "declared", ['ProvisionedUser("bob", email="bob@b.com")', 'ProvisionedUsers("team", emails=["bob@b.com"])']
)
def test_a_program_without_an_engine_fares_as_with_any_other_resource(declared: str) -> None:
    """Whatever Pulumi makes of it: that there is no engine is nothing to stumble over before."""
    others, ours = (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        for program in (
            'import pulumi; pulumi.CustomResource("test:index:Test", "bob", {})',
            f"import pulumi_openfunnel as openfunnel; openfunnel.{declared}",
        )
    )
    assert ours.returncode == others.returncode
    assert "pulumi_openfunnel" not in ours.stderr


def test_a_program_under_mocks() -> None:
    """The key is secret there as well, declaring again is no collision, another user is; import_ is refused."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    looked, again, team, other, collision, *refusals = done.stdout.splitlines()
    assert looked == again == "looked"
    assert (team, other) == ("looked at the roster", "looked at the roster by id")
    assert collision.startswith('"carol" and "dave" both map to carol@')
    assert len(refusals) == 2
    assert all(line.startswith('ProvisionedUser "bob": OpenFunnel cannot read a user') for line in refusals)


MODULE = """
import pulumi
import pytest

class OpenFunnel(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs
    def call(self, args):
        return {}

pulumi.runtime.set_mocks(OpenFunnel())
import pulumi_openfunnel as openfunnel

@pulumi.runtime.test
def test_one():
    return openfunnel.ProvisionedUser("alice", email="info@a.com").email

@pulumi.runtime.test
def test_the_same_under_another_name():
    return openfunnel.ProvisionedUser("customer-1", email="info@a.com").email

@pulumi.runtime.test
def test_another_with_the_same_internal_email():
    return openfunnel.ProvisionedUser("bob", email="info@b.com").email

@pulumi.runtime.test
def test_a_roster():
    return openfunnel.ProvisionedUsers("team", emails=["info@a.com"]).users

@pulumi.runtime.test
def test_a_roster_by_id():
    return openfunnel.ProvisionedUsers("customers", emails={"cust-1": "info@b.com"}).users

@pulumi.runtime.test
def test_two_at_once():
    first = openfunnel.ProvisionedUser("first", email="info@a.com")
    second = openfunnel.ProvisionedUser("second", email="info@b.com")
    return pulumi.Output.all(first.email, second.email)
"""


def test_no_claim_passes_from_test_to_test(tmp_path: Path) -> None:
    """One ``set_mocks`` for a module: the same address under other names, alone and in a roster; two at once collide."""
    (tmp_path / "test_theirs.py").write_text(textwrap.dedent(MODULE))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    done = subprocess.run([*command, "test_theirs.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert "FAILED test_theirs.py::test_two_at_once" in done.stdout
    assert '"first" and "second" both map to info@' in done.stdout
