"""Commands of the Pulumi CLI: while they run, and what they did."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .processes import kill, living_on
from .waiting import wait_until


@dataclass(frozen=True)
class Done:
    """What one command did.

    Attributes:
        status: its exit status.
        output: what it printed, errors included.
        seconds: from its start to its end.
    """

    status: int
    output: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """The diagnostics' error lines, each once."""
        return self._lines("error: ")

    @property
    def warnings(self) -> list[str]:
        """The diagnostics' warning lines, each once."""
        return self._lines("warning: ")

    def _lines(self, kind: str) -> list[str]:
        _, found, diagnostics = self.output.partition("Diagnostics:")
        lines = (diagnostics if found else self.output).splitlines()
        return list(dict.fromkeys(line.partition(kind)[2].rstrip() for line in lines if kind in line))


class Failed(Exception):
    """A command that had no reason to fail.

    Attributes:
        done: what it did.
    """

    def __init__(self, args: Sequence[str], done: Done) -> None:
        super().__init__(f"pulumi {' '.join(args)} ended with {done.status}:\n{done.output}")
        self.done = done


class Hung(Exception):
    """A command that did not end in its time; all processes of its project were killed."""


class Running:
    """A command that runs, in a session and a process group of its own.

    Args:
        args: the command, without ``pulumi``.
        process: the CLI's.
        output: the file that it prints to.
        directory: names what belongs to it: the processes whose environment holds this path.
        patience: seconds that it may take.

    Attributes:
        pid: the CLI's.
    """

    def __init__(
        self, args: Sequence[str], process: subprocess.Popen[bytes], output: IO[bytes], directory: Path, patience: float
    ) -> None:
        self.pid = process.pid
        self._args = args
        self._process = process
        self._output = output
        self._directory = directory
        self._patience = patience
        self._began = time.perf_counter()
        self._done: Done | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def interrupt(self, *, group: bool = False) -> None:
        """Ctrl-C: SIGINT to the CLI, or to its whole process group as a terminal sends it."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the CLI."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to the CLI alone: what it started lives on."""
        self._process.kill()

    def kill_everything(self) -> None:
        """SIGKILL to every process of its project."""
        self._process.kill()
        for pid in living_on(self._directory):
            kill(pid)

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself."""
        return wait_until(lambda: self.over, seconds)

    def wait(self) -> Done:
        """What it did, once it has ended.

        Raises:
            Hung: when it does not end in its time.
        """
        if self._done is None:
            with self._output as output:
                status, seconds = self._ended()
                output.seek(0)
                self._done = Done(status, output.read().decode(errors="replace"), seconds)
        return self._done

    def _ended(self) -> tuple[int, float]:
        """Its exit status and its seconds. Waiting with a timeout would look only every 50 ms."""
        late = threading.Event()
        watchdog = threading.Timer(self._patience, self._give_up, [late])
        watchdog.daemon = True
        watchdog.start()
        try:
            status = self._process.wait()
            seconds = time.perf_counter() - self._began
        except BaseException:
            self.kill_everything()  # it is in a session of its own, and would outlive an interruption
            self._process.wait()
            raise
        finally:
            watchdog.cancel()
        if late.is_set():
            raise Hung(f"pulumi {' '.join(self._args)} did not end in {self._patience:.0f} s")
        return status, seconds

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self.kill_everything()
