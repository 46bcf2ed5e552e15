"""Keys, and addresses that are secrets, whatever the program's transforms and hooks do: searched for everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness import Done, Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import PROVISIONER_KEY

TRANSFORMS = {
    "transform": """
        def drop(args):
            return pulumi.ResourceTransformResult(props=args.props, opts=pulumi.ResourceOptions(retain_on_delete=False))

        pulumi.runtime.register_resource_transform(drop)
    """,
    "stack transformation": """
        def drop(args):
            opts = pulumi.ResourceOptions(parent=args.opts.parent)  # the SDK refuses another one
            return pulumi.ResourceTransformationResult(props=args.props, opts=opts)

        pulumi.runtime.register_stack_transformation(drop)
    """,
    "hooks": """
        def show_at(moment):
            def show(args):
                print("hook", moment, args.name, args.new_inputs, args.old_inputs, args.new_outputs, args.old_outputs)
            return pulumi.ResourceHook(moment, show)

        moments = [f"{when}_{what}" for what in ("create", "update", "delete") for when in ("before", "after")]
        hooks = pulumi.ResourceHookBinding(**{moment: [show_at(moment)] for moment in moments})

        def hook(args):
            opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(hooks=hooks))
            return pulumi.ResourceTransformResult(props=args.props, opts=opts)

        pulumi.runtime.register_resource_transform(hook)
    """,
}

PROGRAM = """
        import json
        import os
        import pulumi
        import pulumi_openfunnel as openfunnel
        {transform}
        spec = json.loads(os.environ["SPEC"])
        alice = openfunnel.ProvisionedUser("alice", **spec["alice"])
        openfunnel.ProvisionedUser("adopted", email="adopted@customers.com", existing_api_key=spec["keys"]["adopted"])
        team = openfunnel.ProvisionedUsers(
            "team", emails=spec["emails"], existing_api_keys={{"cust-2": spec["keys"]["cust-2"]}})
        pulumi.export("keys", team.api_keys)
        pulumi.export("key", alice.api_key)
"""


class Life:
    """A stack whose every command's output is kept, and searched with everything that lies on the disk."""

    def __init__(self, project: Project, accounts: Accounts) -> None:
        self.project = project
        self.accounts = accounts
        self.runs: list[Done] = []

    def run(self, *command: str) -> Done:
        done = self.project.pulumi(*command)
        self.runs.append(done)
        return done

    def shows(self, *texts: str) -> list[str]:
        """Where one of these stands: which files, but for the ledger, and what output."""
        files = [f"{text} in {file}" for text in texts for file in self.project.grep(text)]
        lines = [line for done in self.runs for line in done.output.splitlines() if any(text in line for text in texts)]
        return [file for file in files if not file.endswith(str(self.project.ledger))] + lines

    @property
    def keys(self) -> list[str]:
        return [PROVISIONER_KEY, *(user.api_key for user in self.accounts.users)]


@pytest.fixture
def life(project: Project, accounts: Accounts) -> Iterator[Life]:
    made = Life(project, accounts)
    yield made
    assert made.shows(*made.keys) == []
    assert [key for key in made.keys if project.grep(key)] == []


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(text, id=id_, marks=[pytest.mark.long] if id_ != "hooks" else [])
        for id_, text in TRANSFORMS.items()
    ],
)
def test_keys_stay_secret_under_whatever_the_program_does(life: Life, transform: str) -> None:
    """Options dropped, hooks of all kinds that print: created, adopted, updated, replaced, refreshed, destroyed."""
    keys = {name: life.accounts.create(f"{name}@orchestrator.com").api_key for name in ("adopted", "user2", "user2b")}
    spec = {
        "alice": {"email": "alice@customers.com"},
        "emails": {"cust-1": "user1@customers.com", "cust-2": "user2@customers.com"},
        "keys": {"adopted": keys["adopted"], "cust-2": keys["user2"]},
    }
    life.project.write(PROGRAM.format(transform=transform))
    life.project.setenv(SPEC=json.dumps(spec))
    life.run("up", "--yes", "--diff")
    assert json.loads(life.project.output("keys"))["cust-2"] == keys["user2"]
    # In place, with another key to adopt; and replaced.
    spec["emails"] |= {"cust-1": "user1@bigcorp.com", "cust-3": "user3@customers.com"}
    spec["keys"] |= {"cust-2": keys["user2b"]}
    spec["alice"] |= {"prefix": "alicia"}
    life.project.setenv(SPEC=json.dumps(spec))
    done = life.run("up", "--yes", "--skip-preview")
    assert "1 replaced" in done.output
    assert json.loads(life.project.output("keys"))["cust-2"] == keys["user2b"]
    life.run("refresh", "--yes", "--skip-preview")
    life.run("preview", "--expect-no-changes")
    life.run("stack", "export")
    life.run("destroy", "--yes", "--skip-preview", "--run-program")
    said = "".join(done.output for done in life.runs)
    shown = {f"{when}_{what}" for what in ("create", "update", "delete") for when in ("before", "after")}
    assert {moment for moment in shown if f"hook {moment} " in said} == (shown if "hooks" in transform else set())


SECRET_ADDRESSES = """
    import pulumi
    import pulumi_openfunnel as openfunnel

    config = pulumi.Config()
    openfunnel.ProvisionedUser("single", email=config.require_secret("single"))
    by_id = openfunnel.ProvisionedUsers("by-id", emails=config.require_secret_object("byId"))
    listed = openfunnel.ProvisionedUsers("listed", emails=config.require_secret_object("listed"))
    pulumi.export("users", by_id.users)
    pulumi.export("failed", listed.failed)
"""


def _set(life: Life, single: str, by_id: dict[str, str], listed: list[str]) -> None:
    for name, value in (("single", single), ("byId", json.dumps(by_id)), ("listed", json.dumps(listed))):
        life.project.pulumi("config", "set", "--secret", name, stdin=value)


@pytest.mark.long
def test_secret_addresses_are_found_nowhere(life: Life) -> None:
    """Neither they nor what is computed of them: previewed, created, refused, changed, refreshed, destroyed."""
    life.project.write(SECRET_ADDRESSES)
    _set(life, "hidden1@x.com", {"cust-1": "hidden2@x.com", "cust-2": "hidden3@x.com"}, ["hidden4@x.com"])
    life.accounts.create("hidden5@orchestrator.com")
    life.run("preview", "--diff")
    life.run("up", "--yes", "--skip-preview", "--diff")
    assert json.loads(life.project.output("users"))["cust-1"]["internal_email"] == "hidden2@orchestrator.com"

    _set(life, "hidden1@y.com", {"cust-1": "hidden2@y.com"}, ["hidden5@x.com", "hidden6@x.com"])
    life.run("preview", "--diff")
    failed = life.project.pulumi("up", "--yes", "--skip-preview", check=False)
    life.runs.append(failed)
    assert failed.status != 0
    assert "listed: 1 failed: exists already (409)" in failed.output
    assert "by-id: -1, ~1, 0 unchanged." in failed.output
    assert "listed: +2, -1, 0 unchanged." in failed.output
    warned = [warning.partition(": ")[0] for warning in failed.warnings if "now stands for another address" in warning]
    assert sorted(warned) == ["cust-1", "single"]

    _set(life, "hidden1@y.com", {"cust-1": "hidden2@y.com"}, ["hidden2@z.com", "hidden6@x.com"])
    refused = life.project.pulumi("preview", check=False)
    life.runs.append(refused)
    assert "No key was handed out." in refused.output

    _set(life, "hidden1@y.com", {"cust-1": "hidden2@y.com"}, ["hidden6@x.com"])
    life.run("up", "--yes", "--skip-preview")
    life.run("refresh", "--yes", "--skip-preview")
    life.run("preview", "--expect-no-changes")
    life.run("stack", "export")
    life.run("destroy", "--yes", "--skip-preview")
    assert life.shows("hidden") == []
