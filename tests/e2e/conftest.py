"""The real Pulumi CLI, with a home, a state and a project of its own for each test."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, clean_environment

ONE_USER = """
    import pulumi
    import pulumi_openfunnel as openfunnel

    alice = openfunnel.ProvisionedUser("alice", email="alice@alice-startup.com")
    pulumi.export("internal_email", alice.internal_email)
    pulumi.export("api_key", alice.api_key)
"""


@dataclass(frozen=True)
class Run:
    """What one command of the CLI did."""

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """The diagnostics' error lines, each once."""
        return self._lines("error: ")

    @property
    def warnings(self) -> list[str]:
        """The diagnostics' warning lines, each once."""
        return self._lines("warning: ")

    def _lines(self, kind: str) -> list[str]:
        diagnostics = self.output.partition("Diagnostics:")[2]
        return list(dict.fromkeys(line.partition(kind)[2] for line in diagnostics.splitlines() if kind in line))


class Project:
    """One Pulumi project with one stack."""

    def __init__(self, directory: Path, environment: dict[str, str], name: str = "project") -> None:
        self.directory = directory / name
        self.home = directory / "home"
        self.state = directory / "state"
        for made in (self.directory, self.home, self.state):
            made.mkdir(exist_ok=True)
        self.ledger = directory / "ledger" / "ledger.db"
        self._environment = environment | {
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "OPENFUNNEL_LEDGER": str(self.ledger),
        }
        project = {"name": name, "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
        (self.directory / "Pulumi.yaml").write_text(json.dumps(project))

    def write(self, program: str) -> None:
        """Make this the program."""
        (self.directory / "__main__.py").write_text(textwrap.dedent(program))

    def setenv(self, **environment: str | None) -> None:
        """Set the environment of the commands that follow; None takes a variable away."""
        for name, value in environment.items():
            self._environment.pop(name, None)
            if value is not None:
                self._environment[name] = value

    def pulumi(self, *args: str, stdin: str = "", check: bool = True) -> Run:
        """Run one command; one that fails fails the test unless ``check`` is off."""
        done = subprocess.run(
            ["pulumi", *args, "--non-interactive", "--color", "never"],
            cwd=self.directory,
            env=self._environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return Run(done.returncode, done.stdout)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start one command, whose output nobody reads."""
        return subprocess.Popen(
            ["pulumi", *args, "--non-interactive", "--color", "never"],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def up(self, *args: str, check: bool = True) -> Run:
        """``pulumi up`` without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *args, check=check)

    def up_after_a_kill(self) -> Run:
        """The update after one that was killed, perhaps within a state write: what docs/recovery.md says is done first."""
        state = self.state / ".pulumi" / "stacks" / self.directory.name / "dev.json"
        while (done := self.up(check=False)).status:
            if "failed to load checkpoint: EOF" in done.output:
                state.with_name("dev.json.attrs").unlink()
            elif "failed to load checkpoint" in done.output:
                state.with_name("dev.json.bak").replace(state)
            else:
                assert "the stack is currently locked" in done.output, done.output
                self.pulumi("cancel", "--yes")
        return done

    def output(self, name: str) -> str:
        """A stack output in the clear."""
        return self.pulumi("stack", "output", name, "--show-secrets").output.strip()

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by name, secrets as the engine encrypted them."""
        deployment = json.loads(self.pulumi("stack", "export").output)["deployment"]
        return {resource["urn"].rpartition("::")[2]: resource for resource in deployment.get("resources", [])}

    def grep(self, text: str) -> list[str]:
        """The files below home, state, project and the ledger's directory that hold this text."""
        needle = text.encode()
        roots = (self.home, self.state, self.directory, self.ledger.parent)
        return [
            str(file) for root in roots for file in root.rglob("*") if file.is_file() and needle in file.read_bytes()
        ]


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The CLI and its language host; without them nothing here means anything."""
    for needed in ("pulumi", "pulumi-language-python"):
        assert shutil.which(needed), f"{needed} is not on PATH. Run: make test"


NewProject = Callable[..., Project]

ENVIRONMENT = clean_environment() | {
    "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
}
"""Of a project's commands; it knows nothing of OpenFunnel."""


@pytest.fixture
def new_project(tmp_path: Path) -> NewProject:
    """Makes a project with an empty stack; its environment knows nothing of OpenFunnel."""

    def make(program: str = ONE_USER, name: str = "project") -> Project:
        project = Project(tmp_path, ENVIRONMENT, name)
        project.write(program)
        project.pulumi("stack", "init", "dev")
        return project

    return make


@pytest.fixture
def project(new_project: NewProject, api: str) -> Project:
    """A project whose environment holds everything that a user is created with."""
    made = new_project()
    made.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    return made
