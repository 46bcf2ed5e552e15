"""A program with a roster that tests describe step by step, and what must hold after each step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from harness import Done, Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import PROVISIONER_KEY

PROGRAM = """
    import json
    import os
    import pulumi
    import pulumi_openfunnel as openfunnel

    spec = json.loads(os.environ["SPEC"])
    roster = spec.get("roster", "team")
    arguments = ("emails", "prefixes", "aliases", "existing_api_keys", "email_mapping", "orchestrator", "max_removals")
    above = pulumi.ComponentResource("test:index:Above", "above", None, pulumi.ResourceOptions(protect=spec.get("above")))
    opts = pulumi.ResourceOptions(
        parent=above if "above" in spec else None,
        protect=spec.get("protect"),
        additional_secret_outputs=spec.get("hidden"),
        ignore_changes=spec.get("ignore_changes"),
        aliases=[pulumi.Alias(name=name) for name in spec.get("was", [])],
    )
    team = openfunnel.ProvisionedUsers(roster, **{name: spec.get(name) for name in arguments}, opts=opts)
    singles = {
        name: openfunnel.ProvisionedUser(name, email=email).api_key for name, email in spec.get("singles", {}).items()
    }

    def write(got):
        with open(os.environ["KEYS"], "w") as file:
            json.dump(got, file)

    pulumi.Output.all(team.api_keys, singles).apply(lambda keys: write(keys[0] | keys[1]))
"""
"""What the program got is written to a file, which costs no command and is taken away by who reads it."""


def customers(*numbers: int, company: str = "customers.com") -> dict[str, str]:
    """By id, addresses."""
    return {f"cust-{number}": f"user{number}@{company}" for number in numbers}


@dataclass
class Roster:
    """One stack with one roster over the time.

    Attributes:
        project: the project, whose program is :data:`PROGRAM`.
        accounts: the simulator's.
        forgets: whether each step finds a new ledger, as on a runner that is thrown away.
        runs: what each command printed.
    """

    project: Project
    accounts: Accounts
    forgets: bool = False
    runs: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._keys = self.project.directory.parent / "keys.json"
        self.project.write(PROGRAM)
        self.project.setenv(KEYS=str(self._keys))

    def declare(self, **spec: Any) -> None:
        """Make this the program's declaration."""
        self.project.setenv(SPEC=json.dumps(spec))

    def run(self, *command: str, check: bool = True) -> Done:
        """Run a command, whose output is kept."""
        run = self.project.pulumi(*command, check=check)
        self.runs.append(run)
        return run

    def up(self, *options: str, requests: int = 0, **spec: Any) -> Done:
        """An update that works, asks for so many users and gives each declared one its key; then nothing is left to do."""
        if self.forgets:
            ledger = self.project.directory.parent / f"ledger-{len(self.runs)}" / "ledger.db"
            self.project.setenv(OPENFUNNEL_LEDGER=str(ledger))
        if spec:
            self.declare(**spec)
        before = len(self.accounts.record.entries)
        done = self.run("up", "--yes", "--skip-preview", *options)
        assert len(self.accounts.record.entries) - before == requests, done.output
        return done

    def settled(self, *options: str, requests: int = 0, **spec: Any) -> Done:
        """The same; the program gets each user's own key, and the next preview, which needs no ledger, has nothing to do."""
        done = self.up(*options, requests=requests, **spec)
        assert self.got() == expected(self.accounts, spec), done.output
        if not self.forgets:
            self.run("preview", "--expect-no-changes")
        return done

    def got(self) -> dict[str, str]:
        """The keys that the program got in the last update."""
        keys: dict[str, str] = json.loads(self._keys.read_text())
        self._keys.unlink()
        return keys

    def refused(self, *command: str, **spec: Any) -> str:
        """The line that refuses a preview (or another command) of this, which asks for nobody."""
        before = len(self.accounts.record.entries)
        self.declare(**spec)
        run = self.run(*(command or ("preview",)), check=False)
        assert run.status != 0, run.output
        assert len(self.accounts.record.entries) == before
        lines = [error for error in run.errors if not error.startswith(("preview failed", "update failed"))]
        assert lines, run.output
        return lines[0].partition(" has a problem: ")[2] or lines[0]

    def in_the_clear(self, *texts: str) -> list[str]:
        """Where one of these is in the clear: files, other than the ledger, and output."""
        files = [file for text in texts for file in self.project.grep(text) if file != str(self.project.ledger)]
        return files + [run.output for run in self.runs if any(text in run.output for text in texts)]

    def shows_no_key(self, *more: str) -> None:
        """Neither the ledger, nor the state with its history, nor anything that was printed holds a key."""
        keys = [PROVISIONER_KEY, *(user.api_key for user in self.accounts.users), *more]
        assert self.in_the_clear(*keys) == []
        assert [key for key in keys if self.project.grep(key)] == []


def expected(accounts: Accounts, spec: dict[str, Any], domain: str = "orchestrator.com") -> dict[str, str]:
    """By id or name, the key of the user that each declared member stands for."""
    keys = {user.email: user.api_key for user in accounts.users}
    given, prefixes = spec["emails"], spec.get("prefixes", {})
    by_id = given if isinstance(given, dict) else {email.strip().lower(): email for email in given}
    members = {id_: prefixes.get(id_, email.strip().lower().partition("@")[0]) for id_, email in by_id.items()}
    members |= {name: email.partition("@")[0] for name, email in spec.get("singles", {}).items()}
    return {id_: keys[f"{local}@{domain}"] for id_, local in members.items()}
