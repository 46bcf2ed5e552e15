"""Processes as /proc shows them, so on Linux alone: who is below whom, who lives on a directory, how much they held."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PROVIDER = b"\0pulumi.dynamic\0"
_PAUSE = 0.2  # seconds between two looks at the memory


def descendants(pid: int) -> list[int]:
    """The processes below one, however deep."""
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


def providers_of(cli: int) -> list[int]:
    """The dynamic providers that a Pulumi CLI has started."""
    return [pid for pid in descendants(cli) if _PROVIDER in _read(pid, "cmdline")]


def living_on(directory: Path) -> dict[int, str]:
    """The processes whose environment names a directory, with their command lines; this one apart."""
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


class Peak:
    """The most memory that the providers below one CLI held so far.

    Attributes:
        kib: the largest resident set of any of them; 0 when there was none.
    """

    def __init__(self, cli: int) -> None:
        self.kib = 0
        self._cli = cli
        self._found: list[int] = []

    def watch(self, ended: threading.Event) -> None:
        """Look again and again until the event."""
        while not ended.wait(_PAUSE):
            self._found = self._found or providers_of(self._cli)
            self.kib = max([self.kib, *map(_peak, self._found)])


@contextlib.contextmanager
def watching(cli: int) -> Iterator[Peak]:
    """Watch the providers below a CLI while the context lasts."""
    peak, ended = Peak(cli), threading.Event()
    thread = threading.Thread(target=peak.watch, args=(ended,), daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _peak(pid: int) -> int:
    found = re.search(rb"VmHWM:\s*(\d+)", _read(pid, "status"))
    return int(found[1]) if found else 0


def _all() -> list[int]:
    return [int(entry.name) for entry in _PROC.glob("[0-9]*")]


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty when it has gone."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / name).read_bytes()
    return b""
