"""Processes as /proc shows them: who descends from whom, and who still lives on a directory."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_PROVIDER = b"\0pulumi.dynamic\0"


def provider_of(cli: int) -> int | None:
    """The dynamic provider that a Pulumi CLI has started; None while there is none."""
    return next((pid for pid in _descendants(cli) if _PROVIDER in _read(pid, "cmdline")), None)


def living_on(directory: Path) -> dict[int, str]:
    """The processes whose environment names a directory, with their command lines."""
    found = {}
    for pid in _all():
        command = _read(pid, "cmdline")
        if pid != os.getpid() and command and str(directory).encode() in _read(pid, "environ"):
            found[pid] = command.decode(errors="replace").replace("\0", " ").strip()
    return found


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal; whether the process was there to get it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for child in _all():
        # The name in parentheses may hold anything; the parent is the second word behind it.
        words = _read(child, "stat").rpartition(b")")[2].split()
        if words:
            children.setdefault(int(words[1]), []).append(child)
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty when it has gone."""
    with contextlib.suppress(OSError):
        return Path("/proc", str(pid), name).read_bytes()
    return b""
