"""A Pulumi project with a state and a ledger of its own, and the seconds that the real CLI takes on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from processes import kill, watching
from rows import Row

PROGRAMS = Path(__file__).resolve().parent / "programs"
UP = ("up", "--yes", "--skip-preview")
PREVIEW = ("preview", "--expect-no-changes")
REFRESH = ("refresh", "--yes", "--skip-preview")

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
        directory: is made, and holds all of it.
        home: Pulumi's, which projects may share.
        row: what is measured.
        environment: the server's address and credentials.
    """

    def __init__(self, directory: Path, home: Path, row: Row, environment: Mapping[str, str]) -> None:
        self._project = directory / "project"
        self._state = directory / "state"
        self._project.mkdir(parents=True)
        self._state.mkdir()
        settings = {"name": "project", "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
        (self._project / "Pulumi.yaml").write_text(json.dumps(settings))
        shutil.copy(PROGRAMS / row.files[0], self._project / "__main__.py")
        for beside in row.files[1:]:
            shutil.copy(PROGRAMS / beside, self._project)
        self._environment = clean_environment() | {
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{self._state}",
            "PULUMI_CONFIG_PASSPHRASE": "benchmarks",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "OPENFUNNEL_LEDGER": str(directory / "ledger" / "ledger.db") if row.ledger else "off",
            **environment,
            **row.environment,
        }
        self.run("stack", "init", "dev")

    @property
    def state_bytes(self) -> int:
        """The size of the stack's file."""
        return (self._state / ".pulumi" / "stacks" / "project" / "dev.json").stat().st_size

    def declare(self, emails: list[str]) -> None:
        """Make these the program's users."""
        (self._project / "users.json").write_text(json.dumps(emails))

    def run(self, *args: str) -> Timed:
        """Run one command of the CLI.

        Raises:
            CommandFailed: when it failed.
        """
        command = ["pulumi", *args, "--non-interactive", "--color", "never"]
        output = self._project.parent / "output.txt"
        with output.open("w") as file:
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=self._project,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # an interruption ends it, and all below it, in one way alone
            )
            with watching(process.pid) as peak:
                status = _ended(process)
            seconds = time.perf_counter() - began
        if status:
            raise CommandFailed(_reason(output.read_text()) or f"pulumi {args[0]} ended with {status}")
        return Timed(seconds, peak.kib, output.read_text())


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit status; it does not outlive an interruption, nor its time.

    Waiting with a timeout would look only every 50 ms.
    """
    watchdog = threading.Timer(_PATIENCE, kill, [process.pid])
    watchdog.daemon = True
    watchdog.start()
    try:
        return process.wait()
    except BaseException:
        kill(process.pid)
        process.wait()
        raise
    finally:
        watchdog.cancel()


def clean_environment() -> dict[str, str]:
    """The environment without what would configure Pulumi, OpenFunnel or Python, or send requests through a proxy."""
    ours = ("OPENFUNNEL_", "PULUMI_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _reason(output: str) -> str:
    """The line that names what went wrong: a Python error's, else the CLI's first error."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception"))]
    return next(iter(errors or [line for line in lines if "error: " in line]), "")[:200]
