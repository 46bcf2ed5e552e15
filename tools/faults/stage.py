"""One run's own Pulumi, and what its disk holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import UP, Failed, Project, Running, wait_until
from harness.processes import kill, living_on
from harness.simulator import ORCHESTRATOR
from pulumi_openfunnel.ledger.leases import LEASE
from pulumi_openfunnel.ledger.sealing import seals

from . import ledgers
from .server import Server

_GRACE = 30.0  # seconds for processes to end by themselves
_TIMEOUT = 30  # seconds for each user
_PATIENCE = 300.0  # seconds for one command, which may wait for a lease to expire

_PROGRAM = """\
import pulumi
import pulumi_openfunnel as openfunnel

config = pulumi.Config()
for n in range(config.require_int("users")):
    name = f"user{n:03}"
    user = openfunnel.ProvisionedUser(
        name, email=f"{name}@customers.com", existing_api_key=config.get_secret(f"existing-{name}")
    )
    if config.get_bool("exported"):
        pulumi.export(name, user.api_key)
"""


@dataclass(frozen=True)
class Kept:
    """What ledger and states hold at one moment. Not to be shown: it holds keys.

    Attributes:
        answers: the ledger's answers, opened, each with its internal email.
        users: for each stack, internal emails and keys in its state.
        pending: for each stack, how many operations its state holds as pending.
        documents: the ledger's documents as they lie there.
    """

    answers: frozenset[tuple[str, bytes]] = field(repr=False)
    users: dict[str, list[tuple[str, str]]] = field(repr=False)
    pending: dict[str, int]
    documents: dict[str, bytes] = field(repr=False)

    def holds(self, key: str) -> bool:
        """Whether a key is in the ledger or in a state."""
        in_state = any(key == kept for users in self.users.values() for _, kept in users)
        return in_state or any(key.encode() in answer for _, answer in self.answers)


class Stage(Project):
    """A project with its stacks, in a directory that nothing else uses.

    Args:
        directory: an empty one.
        server: whom the program asks.
        users: how many of them it declares.
        places: where its ledger lies.
        exported: whether it exports their keys.
        configured: whether the provisioner key is in the stack's config, not in the environment.

    Attributes:
        server: the same.
        users: the same.
        stacks: the names of its stacks.
        shared: whether its ledger is one that machines share.
        timeout: seconds for each user.
    """

    def __init__(
        self, directory: Path, server: Server, users: int, places: ledgers.Ledgers, *, exported: bool, configured: bool
    ) -> None:
        super().__init__(directory, name="faults", keeps_logs=True, patience=_PATIENCE)
        self.server = server
        self.users = users
        self.stacks: list[str] = []
        self.shared = places.shared
        self.timeout = int(LEASE) + _TIMEOUT if places.shared else _TIMEOUT  # what a dead runner began is waited for
        self._url = places.new(directory)
        self._exported = exported
        self._configured = configured
        self._machines = 0
        self.write(_PROGRAM)
        self.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_BASE_URL=server.base_url, OPENFUNNEL_LEDGER=self._url)
        if not configured:
            self.setenv(OPENFUNNEL_API_KEY=server.api_key)
        if self.shared:
            self.next_machine()

    def next_machine(self) -> None:
        """Go on where nothing is but a checkout of the program; the machine before is gone, with all that it held."""
        self._machines += 1
        machine, before, left = self.root / f"machine{self._machines}", self.directory, self.home
        (machine / "home").mkdir(parents=True)
        (machine / "checkout").mkdir()
        for file in (*before.glob("Pulumi*.yaml"), before / "__main__.py"):
            shutil.copy(file, machine / "checkout")
        self.directory, self.home = machine / "checkout", machine / "home" / "pulumi"
        self.setenv(HOME=str(machine / "home"), PULUMI_HOME=str(self.home), XDG_STATE_HOME=None, XDG_CACHE_HOME=None)
        for gone in (before, left if self._machines == 1 else left.parent):
            shutil.rmtree(gone, ignore_errors=True)  # whoever lives on there may be writing still

    def add_stack(self, name: str = "dev") -> None:
        """Make a stack, and set what its program needs."""
        super().add_stack(name)
        self.stacks.append(name)
        plain = {"faults:users": self.users, "faults:exported": self._exported, "openfunnel:timeout": self.timeout}
        options = [word for key, value in plain.items() for word in ("--plaintext", f"{key}={value}")]
        self.pulumi("config", "set-all", "--stack", name, *options)
        if self._configured:
            self.set_secret(name, "openfunnel:apiKey", self.server.api_key)

    def set_secret(self, stack: str, name: str, value: str) -> None:
        """Set a secret as an operator does, so that no command line shows it."""
        self.pulumi("config", "set", "--secret", "--stack", stack, name, stdin=value)

    def start_up(self, stack: str, *args: str) -> Running:
        """Start ``pulumi up``."""
        return self.start(*UP, "--suppress-progress", "--stack", stack, *args)

    def kept(self) -> Kept:
        """What the ledger and the states hold now."""
        states = {stack: self._state(stack) for stack in self.stacks}
        found = ledgers.documents(self._url)
        return Kept(
            answers=ledgers.answers(found, seals(None, self.server.api_key)),
            users={stack: _users(state.get("resources", [])) for stack, state in states.items()},
            pending={stack: len(state.get("pending_operations") or []) for stack, state in states.items()},
            documents={name: one.body for name, one in found.items()},
        )

    def left_behind(self) -> dict[int, str]:
        """The run's processes that still live when their time is over; they are killed then."""
        wait_until(lambda: not living_on(self.root), _GRACE)
        left = living_on(self.root)
        for pid in left:
            kill(pid)
        return left

    def _state(self, stack: str) -> dict[str, Any]:
        """The state with its secrets, which never touch the disk in the clear; empty when it cannot be read."""
        try:
            return self.deployment("--show-secrets", "--stack", stack)
        except Failed:
            return {}


def _users(resources: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    outputs = [resource.get("outputs", {}) for resource in resources if "ProvisionedUser" in resource["type"]]
    return [(found["internal_email"], _plain(found["api_key"])) for found in outputs]


def _plain(value: Any) -> str:
    """A secret of an export, which is JSON within the engine's envelope."""
    return str(json.loads(value["plaintext"]) if isinstance(value, dict) else value)
