"""A Pulumi project with a home, a state and a ledger of its own, and the real CLI on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import IO, Any

from .commands import Done, Failed, Running
from .environment import clean_environment

UP = ("up", "--yes", "--skip-preview")
STACK = "dev"
_MEMORY = "/dev/shm"  # noqa: S108 - a file without a name


class Project:
    """One project. Those that are made in one directory share home, state and ledger.

    Args:
        root: a directory, made where it is missing; everything is made in it.
        name: the project's, and its directory's.
        directory: an existing project, which is taken as it is, instead of a new one.
        home: Pulumi's home, where it is not in ``root``.
        patience: seconds that a command may take.
        keeps_logs: whether each command's output stays in a file; not that of one which shows secrets.

    Attributes:
        root: the same.
        directory: the program's.
        home: Pulumi's home.
        state: the state backend's directory.
        ledger: the ledger's file.
    """

    def __init__(
        self,
        root: Path,
        *,
        name: str = "project",
        directory: Path | None = None,
        home: Path | None = None,
        patience: float = 120.0,
        keeps_logs: bool = False,
    ) -> None:
        self.root, self.directory, self.state = root, directory or root / name, root / "state"
        self.home = home or root / "home"
        self.ledger = root / "ledger" / "ledger.db"
        self._logs = root / "logs" if keeps_logs else None
        for made in (self.directory, self.home, self.state, self._logs):
            if made is not None:
                made.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._patience = patience
        self._commands = 0
        self._environment = clean_environment() | {
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "OPENFUNNEL_LEDGER": str(self.ledger),
        }
        if directory is not None:
            return
        settings = {"name": name, "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
        (self.directory / "Pulumi.yaml").write_text(json.dumps(settings))

    def write(self, program: str) -> None:
        """Make this the program."""
        (self.directory / "__main__.py").write_text(textwrap.dedent(program))

    def setenv(self, **environment: str | None) -> None:
        """Set the environment of the commands that follow; None takes a variable away."""
        for name, value in environment.items():
            self._environment.pop(name, None)
            if value is not None:
                self._environment[name] = value

    @property
    def environment(self) -> dict[str, str]:
        """What its commands get."""
        return dict(self._environment)

    def pulumi(self, *args: str, stdin: str = "", check: bool = True) -> Done:
        """Run one command to its end.

        Args:
            args: the command, without ``pulumi``.
            stdin: what it reads, such as a secret that no command line may show.
            check: whether it has no reason to fail.

        Raises:
            Failed: when it fails all the same.
            Hung: when it does not end in its time.
        """
        done = self.start(*args, stdin=stdin).wait()
        if check and done.status:
            raise Failed(args, done)
        return done

    def start(self, *args: str, stdin: str = "") -> Running:
        """Start one command, without waiting for it."""
        reader, writer = os.pipe()
        os.write(writer, stdin.encode())
        os.close(writer)
        output = self._output(args)
        with os.fdopen(reader, "rb") as given:
            process = subprocess.Popen(
                ["pulumi", *args, "--non-interactive", "--color", "never"],
                cwd=self.directory,
                env=self._environment,
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(args, process, output, self.root, self._patience)

    def add_stack(self, name: str = STACK) -> None:
        """Make a stack, and select it."""
        self.pulumi("stack", "init", name)

    def up(self, *args: str, check: bool = True) -> Done:
        """``pulumi up`` without a preview."""
        return self.pulumi(*UP, *args, check=check)

    def output(self, name: str) -> str:
        """A stack output in the clear."""
        return self.pulumi("stack", "output", name, "--show-secrets").output.strip()

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by name, secrets as the engine encrypted them."""
        found = self.deployment().get("resources", [])
        return {resource["urn"].rpartition("::")[2]: resource for resource in found}

    def deployment(self, *args: str) -> dict[str, Any]:
        """The state as ``pulumi stack export`` gives it; options such as ``--show-secrets`` go to that."""
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export", *args).output)["deployment"]
        return exported

    def checkpoint(self, stack: str = STACK) -> Path:
        """The file that holds a stack's state; its backup is beside it, with ``.bak`` at the end."""
        return self.state / ".pulumi" / "stacks" / self._name / f"{stack}.json"

    def grep(self, text: str) -> list[str]:
        """The files below home, state, program and the ledger's directory that hold this text."""
        needle = text.encode()
        roots = (self.home, self.state, self.directory, self.ledger.parent)
        files = (file for root in roots for file in root.rglob("*") if file.is_file())
        return [str(file) for file in files if needle in file.read_bytes()]

    def _output(self, args: tuple[str, ...]) -> IO[bytes]:
        """Where a command prints to: a file without a name, in memory where there is such a place, or a log."""
        self._commands += 1
        if self._logs is None or "--show-secrets" in args:
            return tempfile.TemporaryFile(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
        return (self._logs / f"{self._commands:02}-{args[0]}.txt").open("w+b")
