"""One run's own Pulumi: a home, a state, a project and a ledger, and the real CLI on them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import kill, living_on
from server import ORCHESTRATOR, Server

from pulumi_openfunnel.errors import KeySealed
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.sealing import seals
from pulumi_openfunnel.provisioning.kept import open_row

PATIENCE = 120.0  # seconds for one command
_GRACE = 30.0  # seconds for processes to end by themselves
_UP = ("up", "--yes", "--skip-preview", "--suppress-progress")

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


class Hung(Exception):
    """A command did not end in its time."""


@dataclass(frozen=True)
class Done:
    """What one command did."""

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """The diagnostics' error lines, each once."""
        lines = [line.partition("error: ") for line in self.output.splitlines()]
        return list(dict.fromkeys(error.strip() for _, found, error in lines if found))


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


class Running:
    """A command of the CLI that runs.

    Attributes:
        pid: the CLI's.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, directory: Path) -> None:
        self._process = process
        self._log = log
        self._directory = directory
        self.pid = process.pid

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def interrupt(self, *, group: bool) -> None:
        """Ctrl-C: SIGINT to the CLI, or to its whole process group as a terminal sends it."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the CLI."""
        self._process.terminate()

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself."""
        return wait_until(lambda: self.over, seconds)

    def wait(self, patience: float = PATIENCE) -> Done:
        """What it did, once it has ended.

        Raises:
            Hung: when it does not; everything of its run is killed then.
        """
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            for pid in living_on(self._directory):
                kill(pid)
            self._process.wait()
            raise Hung(f"{self._log.stem} did not end in {patience:.0f} s") from None
        return Done(status, self._log.read_text(errors="replace"))


class Stage:
    """A project with its stacks, in a directory that nothing else uses.

    Args:
        directory: an empty one.
        server: whom the program asks.
        users: how many of them it declares.
        exported: whether it exports their keys.
        configured: whether the provisioner key is in the stack's config, not in the environment.

    Attributes:
        directory: the same.
        server: the same.
        users: the same.
        stacks: the names of its stacks.
    """

    def __init__(self, directory: Path, server: Server, users: int, *, exported: bool, configured: bool) -> None:
        self.directory = directory
        self.server = server
        self.users = users
        self.stacks: list[str] = []
        self.state = directory / "state"
        self._project, self._logs = directory / "project", directory / "logs"
        for made in (self._project, self._logs, self.state, directory / "home"):
            made.mkdir(parents=True)
        self._ledger = directory / "ledger" / "ledger.db"
        self._exported = exported
        self._configured = configured
        self._commands = 0
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (self._project / "Pulumi.yaml").write_text(json.dumps({"name": "faults", "runtime": runtime}))
        (self._project / "__main__.py").write_text(_PROGRAM)

    def add_stack(self, name: str) -> None:
        """Make a stack, and set what its program needs."""
        self.must("stack", "init", name)
        self.stacks.append(name)
        plain = {"faults:users": self.users, "faults:exported": self._exported, "openfunnel:timeout": 30}
        options = [word for key, value in plain.items() for word in ("--plaintext", f"{key}={value}")]
        self.must("config", "set-all", "--stack", name, *options)
        if self._configured:
            self.set_secret(name, "openfunnel:apiKey", self.server.api_key)

    def set_secret(self, stack: str, name: str, value: str) -> None:
        """Set a secret as an operator does, so that no command line shows it."""
        self.must("config", "set", "--secret", "--stack", stack, name, stdin=value)

    def start(self, *args: str, stdin: str = "") -> Running:
        """Start one command; its output goes to a file of the run."""
        self._commands += 1
        log = self._logs / f"{self._commands:02}-{args[0]}.txt"
        reader, writer = os.pipe()
        os.write(writer, stdin.encode())
        os.close(writer)
        with log.open("wb") as output, os.fdopen(reader, "rb") as given:
            process = subprocess.Popen(
                ["pulumi", *args, "--non-interactive", "--color", "never"],
                cwd=self._project,
                env=self._environment(),
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log, self.directory)

    def pulumi(self, *args: str, stdin: str = "") -> Done:
        """Run one command to its end."""
        return self.start(*args, stdin=stdin).wait()

    def must(self, *args: str, stdin: str = "") -> Done:
        """Run one command that has no reason to fail."""
        done = self.pulumi(*args, stdin=stdin)
        if done.status:
            raise RuntimeError(f"pulumi {' '.join(args)} failed:\n{done.output}")
        return done

    def start_up(self, stack: str, *args: str) -> Running:
        """Start ``pulumi up``."""
        return self.start(*_UP, "--stack", stack, *args)

    def checkpoint(self, stack: str) -> Path:
        """The file that holds a stack's state; its backup is beside it, with ``.bak`` at the end."""
        return self.state / ".pulumi" / "stacks" / "faults" / f"{stack}.json"

    def kept(self) -> Kept:
        """What is on the disk now."""
        states = {stack: self._deployment(stack) for stack in self.stacks}
        return Kept(
            answers=self._answers(),
            users={stack: _users(state.get("resources", [])) for stack, state in states.items()},
            pending={stack: len(state.get("pending_operations") or []) for stack, state in states.items()},
        )

    def left_behind(self) -> dict[int, str]:
        """The run's processes that still live when their time is over; they are killed then."""
        wait_until(lambda: not living_on(self.directory), _GRACE)
        left = living_on(self.directory)
        for pid in left:
            kill(pid)
        return left

    def _answers(self) -> frozenset[tuple[str, bytes]]:
        """The ledger's answers, opened."""
        if not self._ledger.exists():
            return frozenset()
        at_hand = seals(None, self.server.api_key)
        ledger = Ledger(self._ledger)
        try:
            rows = [row for row in ledger.rows() if row.sealed is not None]
        finally:
            ledger.close()
        opened = set()
        for row in rows:
            with contextlib.suppress(KeySealed):
                opened.add((row.identity.internal_email, open_row(row, at_hand)))
        return frozenset(opened)

    def _deployment(self, stack: str) -> dict[str, Any]:
        """The state with its secrets, which never touch the disk in the clear; empty when it cannot be read."""
        done = subprocess.run(
            ["pulumi", "stack", "export", "--show-secrets", "--stack", stack, "--non-interactive"],
            cwd=self._project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)["deployment"] if done.returncode == 0 else {}
        return found

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "OPENFUNNEL_"))}
        key = {} if self._configured else {"OPENFUNNEL_API_KEY": self.server.api_key}
        return (
            kept
            | key
            | {
                "PULUMI_HOME": str(self.directory / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.state}",
                "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "OPENFUNNEL_USER_ID": ORCHESTRATOR,
                "OPENFUNNEL_BASE_URL": self.server.base_url,
                "OPENFUNNEL_LEDGER": str(self._ledger),
            }
        )


def wait_until(truth: Callable[[], object], seconds: float) -> bool:
    """Wait for something for so long; whether it came true."""
    deadline = time.monotonic() + seconds
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _users(resources: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    outputs = [resource.get("outputs", {}) for resource in resources if "ProvisionedUser" in resource["type"]]
    return [(found["internal_email"], _plain(found["api_key"])) for found in outputs]


def _plain(value: Any) -> str:
    """A secret of an export, which is JSON within the engine's envelope."""
    return str(json.loads(value["plaintext"]) if isinstance(value, dict) else value)
