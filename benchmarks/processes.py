"""The processes below a Pulumi CLI: their memory, and their end. Read in /proc, so on Linux alone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PAUSE = 0.2  # seconds between two looks


class Peak:
    """The most that the ``pulumi.dynamic`` processes below one process held so far.

    Attributes:
        kib: the largest resident set of any of them; 0 when there was none.
    """

    def __init__(self, root: int) -> None:
        self.kib = 0
        self._root = root
        self._found: list[int] = []

    def watch(self, ended: threading.Event) -> None:
        """Look again and again until the event."""
        while not ended.wait(_PAUSE):
            self._found = self._found or _providers(self._root)
            self.kib = max([self.kib, *map(_peak, self._found)])


@contextlib.contextmanager
def watching(root: int) -> Iterator[Peak]:
    """Watch the processes below one process while the context lasts."""
    peak, ended = Peak(root), threading.Event()
    thread = threading.Thread(target=peak.watch, args=(ended,), daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def kill(root: int) -> None:
    """End a process and all below it at once: a provider would outlive its CLI."""
    for process in _descendants(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _providers(root: int) -> list[int]:
    below = _descendants(root)
    return [process for process in below if b"\0pulumi.dynamic\0" in _read(process, "cmdline")]


def _descendants(root: int) -> set[int]:
    parents = {int(entry.name): _parent(int(entry.name)) for entry in _PROC.glob("[0-9]*")}
    below, size = {root}, 0
    while size < len(below):
        size = len(below)
        below |= {process for process, parent in parents.items() if parent in below}
    return below


def _parent(process: int) -> int:
    """Of "pid (any name) state parent ..."."""
    fields = _read(process, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _peak(process: int) -> int:
    found = re.search(rb"VmHWM:\s*(\d+)", _read(process, "status"))
    return int(found[1]) if found else 0


def _read(process: int, name: str) -> bytes:
    with contextlib.suppress(OSError):  # it ended meanwhile
        return (_PROC / str(process) / name).read_bytes()
    return b""
