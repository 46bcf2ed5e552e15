"""A runner: a machine for one job, with a home, a checkout, and nothing that another job left."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from harness import Done, wait_until
from harness.commands import Running
from harness.processes import kill, living_on

from .workflows import Job, Step

PATIENCE = 300.0  # seconds for one step, on a busy machine
_GONE = 30.0


class Runner:
    """A machine that runs one job.

    Args:
        root: a directory of its own, made here.
        checkout: the program, which is copied.
        job: what it runs.
        machine: further variables, as the system's image and the steps that prepare the job set them.

    Attributes:
        root: the same.
        workspace: where the program was checked out.
        said: what all steps printed so far.
    """

    def __init__(self, root: Path, checkout: Path, job: Job, machine: Mapping[str, str]) -> None:
        self.root = root
        self._job = job
        self._home = root / "home"
        self._home.mkdir(parents=True)
        self.workspace = root / "workspace"
        shutil.copytree(checkout, self.workspace)
        self.said = ""
        programs = [str(Path(shutil.which("pulumi") or "").parent), f"{sys.base_prefix}/bin", "/usr/bin", "/bin"]
        system = {"HOME": str(self._home), "PATH": os.pathsep.join(programs), "LANG": "C.UTF-8", "CI": "true"}
        self._environment = {**system, "PULUMI_SKIP_UPDATE_CHECK": "true", **machine, **job.env}

    def put_on_path(self, directory: Path) -> None:
        """Let a directory's programs come before the system's."""
        self._environment["PATH"] = f"{directory}{os.pathsep}{self._environment['PATH']}"

    def with_installed(self, environment: Path) -> None:
        """Spare the step that installs: this is what it would make."""
        (self.workspace / "venv").symlink_to(environment)

    def run(self, name: str, *, check: bool = True) -> Done:
        """Run a step to its end."""
        return self.ended(self.start(name), check=check)

    def start(self, name: str) -> Running:
        """Start a step's shell as GitHub's runner does: a script in a file, and ``-e``."""
        step = self._job.step(name)
        script = self.root / f"{name}.sh"
        script.write_text(step.script)
        return self._started(["bash", "-e", str(script)], step, subprocess.DEVNULL)

    def start_piped(self, name: str, **variables: str) -> Running:
        """Start a step's shell as GitLab's runner does: what it generates, on the standard input of a shell.

        Taken from BashWriter.Finish of gitlab-runner 19.3.
        """
        step = self._job.step(name)
        script = self.root / f"{name}.sh"
        quoted = step.script.replace("'", "'\\''")
        prologue = 'trap \'exit 1\' TERM\ncase "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit\n'
        script.write_text(f"{prologue}(trap 'exit 1' TERM; eval '{quoted}') < /dev/null\nexit 0\n")
        self._environment |= variables
        with script.open() as text:
            return self._started(["bash"], step, text.fileno())

    def ended(self, running: Running, *, check: bool = True) -> Done:
        """What a step did, once it has ended."""
        done = running.wait()
        self.said += done.output
        assert not check or done.status == 0, done.output
        return done

    def cancel_as_github(self, running: Running, interrupt: float, terminate: float) -> None:
        """End a step as a cancelled job of GitHub's: SIGINT to the shell alone, SIGTERM to it, the whole tree killed.

        Args:
            running: the step.
            interrupt: seconds after the first; 7.5 at GitHub.
            terminate: seconds after the second; 2.5 at GitHub.
        """
        running.interrupt()
        if not running.ends_within(interrupt):
            running.terminate()
            running.ends_within(terminate)
        running.kill_everything()

    def cancel_as_gitlab(self, running: Running, patience: float) -> None:
        """End a step as a cancelled job in a container: SIGTERM to each process, the last first; then all are killed.

        Args:
            running: the step.
            patience: seconds to wait for each process, and at the end for the shell; 6 and 10 at GitLab.
        """
        for pid in sorted((pid for pid in living_on(self.root) if pid != running.pid), reverse=True):
            if kill(pid, signal.SIGTERM):
                wait_until(functools.partial(_gone, pid), patience)
        running.terminate()
        running.ends_within(patience)
        running.kill_everything()

    def throw_away(self, running: Running) -> None:
        """End the machine: every process killed at once, every file gone."""
        running.kill_everything()
        self.ended(running, check=False)
        assert wait_until(lambda: not living_on(self.root), _GONE)
        shutil.rmtree(self.root)

    def files_with(self, text: str) -> list[str]:
        """The files that the job left here, of which a log or an artifact may be made, and that hold a text."""
        files = (file for file in self.root.rglob("*") if file.is_file() and "site-packages" not in file.parts)
        return [str(file) for file in files if text.encode() in file.read_bytes()]

    def _started(self, command: list[str], step: Step, stdin: int) -> Running:
        output = (self.root / f"{step.name}-{time.monotonic_ns()}.log").open("w+b")
        process = subprocess.Popen(
            command,
            cwd=self.workspace,
            env={**self._environment, **step.env},
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Running([step.name], process, output, self.root, PATIENCE)


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
