"""A Pulumi project with a state and a ledger of its own, and the seconds that the real CLI takes on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import Hung, Project
from harness.processes import watching

from .rows import Row

PROGRAMS = Path(__file__).resolve().parent / "programs"
PREVIEW = ("preview", "--expect-no-changes")
REFRESH = ("refresh", "--yes", "--skip-preview")
NO_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

_PATIENCE = 3600.0  # seconds for one command


@dataclass(frozen=True)
class Timed:
    """What one command took.

    Attributes:
        seconds: from its start to its end.
        peak_kib: the most memory that its provider process held.
        output: what it printed.
    """

    seconds: float
    peak_kib: int
    output: str


class CommandFailed(Exception):
    """A command that ended with an error, told in one line."""


class Stack:
    """A row's project, ready for its first update.

    Args:
        directory: an empty one, which holds all of it.
        home: Pulumi's, which projects may share.
        row: what is measured.
        environment: the server's address and credentials.
    """

    def __init__(self, directory: Path, home: Path, row: Row, environment: Mapping[str, str]) -> None:
        self._project = Project(directory, home=home, patience=_PATIENCE)
        shutil.copy(PROGRAMS / row.files[0], self._project.directory / "__main__.py")
        for beside in row.files[1:]:
            shutil.copy(PROGRAMS / beside, self._project.directory)
        ledger = {} if row.ledger else {"OPENFUNNEL_LEDGER": "off"}
        self._project.setenv(**NO_PROXY, **ledger, **environment, **row.environment)
        self._project.add_stack()

    def setenv(self, **values: str | None) -> None:
        """Set variables of its commands, or take them away."""
        self._project.setenv(**values)

    @property
    def state_bytes(self) -> int:
        """The size of the stack's file."""
        return self._project.checkpoint().stat().st_size

    def declare(self, emails: list[str]) -> None:
        """Make these the program's users."""
        (self._project.directory / "users.json").write_text(json.dumps(emails))

    def run(self, *args: str) -> Timed:
        """Run one command of the CLI.

        Raises:
            CommandFailed: when it failed.
        """
        running = self._project.start(*args)
        try:
            with watching(running.pid) as peak:
                done = running.wait()
        except Hung as error:
            raise CommandFailed(str(error)) from error
        if done.status:
            raise CommandFailed(_reason(done.output) or f"pulumi {args[0]} ended with {done.status}")
        return Timed(done.seconds, peak.kib, done.output)


def _reason(output: str) -> str:
    """The line that names what went wrong: a Python error's, else the CLI's first error."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception"))]
    return next(iter(errors or [line for line in lines if "error: " in line]), "")[:200]
