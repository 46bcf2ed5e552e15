"""Drivers as processes, and their children under strace: killed at one system call, or traced to learn them all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.servers import s3

from .driver import GO, Job

NO_STRACE = "strace is not installed, and without it no crash is tested. Run: apt-get install strace"
# The same system calls each time: dictionaries in the same order, and one heap that need not grow.
_ALIKE = {
    "PYTHONHASHSEED": "0",
    "PYTHONMALLOC": "malloc",
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
}
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": s3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY}
_ROOT = Path(__file__).parents[2]
_CALL = re.compile(r"\d+ +(\w+)\((.*)")
_NOT_THE_VERBS = ("rt_sigtimedwait", "exit_group")  # the wait for strace, and the end after the outcome was told


@dataclass(frozen=True)
class Point:
    """The n-th call of one name, counted from 1: the verb is killed as it enters it."""

    name: str
    n: int

    def __str__(self) -> str:
        return f"{self.name} {self.n}"


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        status: as waitpid tells it.
        looked: whether it came to look at an answer.
        told: whether it told an outcome.
        done: what the verb returned.
        error: the error's class and message; None when it raised none.
        calls: the verb's system calls in their order, each with its arguments and result; empty without strace.
        store_calls: the calls of its store, if they were watched, and it lived to tell.
    """

    status: int
    looked: bool
    told: bool
    done: Any
    error: tuple[str, str] | None
    calls: tuple[tuple[Point, str], ...] = ()
    store_calls: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it before it told an outcome."""
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL and not self.told

    @property
    def key(self) -> str | None:
        """The key that a create handed over."""
        return str(self.done[1]) if isinstance(self.done, list) else None

    @property
    def sent(self) -> int:
        """The create-user requests whose headers left the child."""
        return sum(
            point.name == "sendto" and '"POST ' in rest and not rest.endswith("= ?") for point, rest in self.calls
        )


class Driver:
    """One driver; its children do one verb at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.driver"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _ALIKE | _CREDENTIALS,
        )

    def close(self) -> None:
        self._process.communicate()

    def start(self, job: Job) -> int:
        """Begin a job; its child's process id."""
        if self._process.stdin is None:
            raise AssertionError("there is a pipe")
        self._process.stdin.write(job.line() + "\n")
        self._process.stdin.flush()
        return int(self._answer()["pid"])

    def finish(self, calls: tuple[tuple[Point, str], ...] = ()) -> Ended:
        """How the job ended."""
        answer = self._answer()
        told = {name: value for event in answer["events"] for name, value in event.items()}
        error = (told["error"], told["message"]) if "error" in told else None
        outcome = {"looked": "looked" in told, "told": bool(told.keys() & {"done", "error"})}
        made = tuple(told.get("calls", ()))
        return Ended(answer["status"], **outcome, done=told.get("done"), error=error, calls=calls, store_calls=made)

    def run(self, job: Job) -> Ended:
        """Do a job, and let it."""
        self.start(job)
        return self.finish()

    def trace(self, job: Job, log: Path, kill: Point | None = None) -> Ended:
        """Do a job, traced, and kill it at a point. It begins once strace counts its calls."""
        child = self.start(replace(job, waits=True))
        with _strace(child, log, kill) as strace:
            os.kill(child, GO)
            strace.communicate()
        return self.finish(_calls(log))

    def _answer(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise AssertionError("there is a pipe")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def strace_is_there() -> bool:
    return shutil.which("strace") is not None


@contextlib.contextmanager
def _strace(child: int, log: Path, kill: Point | None) -> Iterator[subprocess.Popen[str]]:
    """Attach to a child. strace counts the calls of each process from there on; --seccomp-bpf cannot attach."""
    inject = ["-e", f"inject={kill.name}:signal=SIGKILL:when={kill.n}"] if kill is not None else []
    command = ["strace", "-f", "-p", str(child), "-o", str(log), *inject]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        said = strace.stderr.readline() if strace.stderr is not None else ""
        if "attached" not in said:
            os.kill(child, signal.SIGKILL)
            raise AssertionError(f"strace could not attach to the driver's child: {said}")
        yield strace


def _calls(log: Path) -> tuple[tuple[Point, str], ...]:
    """The verb's calls in a log of strace, each numbered within its name."""
    seen: Counter[str] = Counter()
    calls = []
    for line in log.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if call is not None and call[1] not in _NOT_THE_VERBS:
            seen[call[1]] += 1
            calls.append((Point(call[1], seen[call[1]]), call[2]))
    return tuple(calls)
