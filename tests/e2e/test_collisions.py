"""Two declarations that stand for one OpenFunnel user."""

from __future__ import annotations

import pytest

from harness import UP, Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject

TWO = """
    import pulumi
    import pulumi_openfunnel as openfunnel

    class Team(pulumi.ComponentResource):
        def __init__(self, name, email):
            super().__init__("tests:index:Team", name)
            openfunnel.ProvisionedUser("lead", email=email, opts=pulumi.ResourceOptions(parent=self))

    openfunnel.ProvisionedUser("alice", email="alice@a.com")
    {second}
"""

COLLIDING = {
    "another domain": 'openfunnel.ProvisionedUser("bob", email="Alice@b.com")',
    "an Output": 'openfunnel.ProvisionedUser("bob", email=pulumi.Output.from_input("alice@b.com"))',
    "an orchestrator of the same domain": 'openfunnel.ProvisionedUser("bob", email="alice@b.com", orchestrator="twin")',
    "a prefix": 'openfunnel.ProvisionedUser("bob", email="bob@b.com", prefix=" ALICE")',
}

APART = """
    openfunnel.ProvisionedUser("bob", email="alice@b.com", email_mapping="subaddress")
    openfunnel.ProvisionedUser("carol", email="alice@c.com", prefix="carol")
    openfunnel.ProvisionedUser("dave", email="alice@d.com", orchestrator="other")
    Team("one", "lead@one.com")
"""


@pytest.fixture
def colliding(project: Project) -> Project:
    """A project that knows two more orchestrators, one at the same domain."""
    for name, user_id in (("twin", "gil@orchestrator.com"), ("other", "ann@other.com")):
        project.pulumi("config", "set", "--path", f"openfunnel:orchestrators.{name}.userId", user_id)
        project.pulumi(
            "config", "set", "--path", "--secret", f"openfunnel:orchestrators.{name}.apiKey", stdin=f"of_{name}"
        )
    return project


def test_a_collision_fails_the_preview_and_creates_nothing(colliding: Project, accounts: Accounts) -> None:
    """However the second address is given, one line names both resources, and the ways out."""
    for second in COLLIDING.values():
        colliding.write(TWO.format(second=second))
        preview = colliding.pulumi("preview", check=False)
        assert preview.status != 0
        assert (
            '"alice" and "bob" both map to alice@orchestrator.com. Set prefix on one, or email_mapping="subaddress".'
        ) in preview.errors
        assert "Traceback" not in preview.output.partition('email_mapping="subaddress".')[0]
    assert accounts.users == []


def test_two_components_collide_and_what_is_apart_does_not(new_project: NewProject) -> None:
    """Children of one name under two parents are two resources; each way out of a collision works."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY), Account("ann@other.com", "of_other")])
    with serve(accounts) as base_url:
        project = new_project(TWO.format(second=APART))
        project.setenv(
            OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=base_url
        )
        project.pulumi("config", "set", "--path", "openfunnel:orchestrators.other.userId", "ann@other.com")
        project.pulumi("config", "set", "--path", "--secret", "openfunnel:orchestrators.other.apiKey", stdin="of_other")
        project.up()
        assert sorted(user.email for user in accounts.users) == [
            "alice+b.com@orchestrator.com",
            "alice@orchestrator.com",
            "alice@other.com",
            "carol@orchestrator.com",
            "lead@orchestrator.com",
        ]
        assert project.grep("of_other") == []

        project.write(TWO.format(second='Team("one", "lead@one.com"); Team("two", "lead@two.com")'))
        preview = project.pulumi("preview", check=False)
        assert any(error.startswith('"lead" and "lead" both map to lead@orchestrator.com.') for error in preview.errors)


ALIKE = """
import pulumi
import pulumi_openfunnel as openfunnel

def alike(args):
    return pulumi.ResourceTransformResult(props=args.props | {"prefix": "same"}, opts=args.opts)

pulumi.runtime.register_resource_transform(alike)
openfunnel.ProvisionedUser("carol", email="carol@c.com")
openfunnel.ProvisionedUser("dave", email="dave@d.com")
"""
PASTED = """
import os
import pulumi_openfunnel as openfunnel

openfunnel.ProvisionedUser("carol", email="carol@c.com", existing_api_key=os.environ["KEY"])
openfunnel.ProvisionedUser("dave", email="dave@d.com", existing_api_key=os.environ["KEY"])
"""
PASTED_IN_A_ROSTER = """
import os
import pulumi_openfunnel as openfunnel

openfunnel.ProvisionedUsers("team", emails={"c": "carol@c.com", "d": "dave@d.com"},
    existing_api_keys={"c": os.environ["KEY"], "d": os.environ["KEY"]})
"""


@pytest.mark.long
def test_what_only_the_provider_sees_mixed_up_is_refused(project: Project, accounts: Accounts) -> None:
    """A prefix that a transform set for two, one key pasted for two: at preview, and by an update without one."""
    key = accounts.create("carol@orchestrator.com").api_key
    project.setenv(KEY=key, OPENFUNNEL_LEDGER="off")
    for program, line in (
        (ALIKE, " both map to it. No key was handed out. Set prefix on one, or email_mapping="),
        (PASTED, " is the same key as that of "),
        (PASTED_IN_A_ROSTER, " is the same key as that of "),
    ):
        project.write(program)
        for command in (("preview",), UP):
            done = project.pulumi(*command, check=False)
            assert done.status != 0
            [refused] = [error for error in done.errors if line in error]
            assert "carol@c.com" in refused
            assert "dave@d.com" in refused
            assert key not in done.output
    users = [entry.email for entry in accounts.record.entries]
    assert users in ([], ["same@orchestrator.com"])  # one of two may be asked for while the other one is checked
