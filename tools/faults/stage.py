"""One run's own Pulumi, and what its disk holds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.provisioning.kept import open_row

from harness import UP, Failed, Project, Running, wait_until
from harness.processes import kill, living_on
from harness.simulator import ORCHESTRATOR
from pulumi_openfunnel.errors import KeySealed
from pulumi_openfunnel.ledger.sealing import seals

from .server import Server

_GRACE = 30.0  # seconds for processes to end by themselves

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
    """What this machine's disk holds at one moment. Not to be shown: it holds keys.

    Attributes:
        answers: the ledger's answers, opened, each with its internal email.
        users: for each stack, internal emails and keys in its state.
        pending: for each stack, how many operations its state holds as pending.
    """

    answers: frozenset[tuple[str, bytes]]
    users: dict[str, list[tuple[str, str]]]
    pending: dict[str, int]

    def holds(self, key: str) -> bool:
        """Whether a key is on the disk."""
        in_state = any(key == kept for users in self.users.values() for _, kept in users)
        return in_state or any(key.encode() in answer for _, answer in self.answers)


class Stage(Project):
    """A project with its stacks, in a directory that nothing else uses.

    Args:
        directory: an empty one.
        server: whom the program asks.
        users: how many of them it declares.
        exported: whether it exports their keys.
        configured: whether the provisioner key is in the stack's config, not in the environment.

    Attributes:
        server: the same.
        users: the same.
        stacks: the names of its stacks.
    """

    def __init__(self, directory: Path, server: Server, users: int, *, exported: bool, configured: bool) -> None:
        super().__init__(directory, name="faults", keeps_logs=True)
        self.server = server
        self.users = users
        self.stacks: list[str] = []
        self._exported = exported
        self._configured = configured
        self.write(_PROGRAM)
        self.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_BASE_URL=server.base_url)
        if not configured:
            self.setenv(OPENFUNNEL_API_KEY=server.api_key)

    def add_stack(self, name: str = "dev") -> None:
        """Make a stack, and set what its program needs."""
        super().add_stack(name)
        self.stacks.append(name)
        plain = {"faults:users": self.users, "faults:exported": self._exported, "openfunnel:timeout": 30}
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
        """What is on the disk now."""
        states = {stack: self._state(stack) for stack in self.stacks}
        return Kept(
            answers=self._answers(),
            users={stack: _users(state.get("resources", [])) for stack, state in states.items()},
            pending={stack: len(state.get("pending_operations") or []) for stack, state in states.items()},
        )

    def left_behind(self) -> dict[int, str]:
        """The run's processes that still live when their time is over; they are killed then."""
        wait_until(lambda: not living_on(self.root), _GRACE)
        left = living_on(self.root)
        for pid in left:
            kill(pid)
        return left

    def _answers(self) -> frozenset[tuple[str, bytes]]:
        """The ledger's answers, opened."""
        if not self.ledger.exists():
            return frozenset()
        at_hand = seals(None, self.server.api_key)
        ledger = Ledger(self.ledger)
        try:
            rows = [row for row in ledger.rows() if row.sealed is not None]
        finally:
            ledger.close()
        opened = set()
        for row in rows:
            with contextlib.suppress(KeySealed):
                opened.add((row.identity.internal_email, open_row(row, at_hand)))
        return frozenset(opened)

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
