"""Which runs live: each process that asks for users holds a lock that dies with it."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from . import file

_CREATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Run:
    """This process's own run, which lives from here on until the process ends, however it ends.

    Args:
        ledger: the ledger's file; the lock is a file beside it.

    Attributes:
        name: what the ledger's rows call the run.

    Raises:
        OSError: when the lock's file cannot be made.
    """

    def __init__(self, ledger: Path) -> None:
        _forget_dead(ledger)
        while True:
            self.name = uuid.uuid4().hex
            path = lock_file(ledger, self.name)
            descriptor = os.open(path, _CREATE, 0o600)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    break  # locked, and not taken for a dead run's in the moment before
            os.close(descriptor)
        self._path = path
        self._descriptor = descriptor  # never closed: the lock goes with the process

    def end(self) -> None:
        """End the run before the process ends."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


class FlockOwners:
    """The runs at a ledger's file, as :class:`Owners`: each lives as long as its process, however that ends.

    Args:
        ledger: the ledger's file.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._starting = threading.Lock()
        self._run: Run | None = None

    def current(self) -> str:
        """The run of this process, which starts with the first call.

        Raises:
            LedgerUnusable: when its lock cannot be had.
        """
        with self._starting, file.named_problems(self._ledger):
            if self._run is None:
                self._run = Run(self._ledger)
            return self._run.name

    def lives(self, run: str) -> bool:
        """Whether a run lives."""
        if self._is_own(run):
            return True
        with file.named_problems(lock_file(self._ledger, run)):
            return lives(self._ledger, run)

    def confirm(self, run: str) -> bool:
        """Whether a run is this process's: then it lives, and nobody can take its lock."""
        return self._is_own(run)

    def others(self) -> list[str]:
        """The runs of other processes that live."""
        with file.named_problems(self._ledger):
            names = [path.name.rpartition(".run-")[2] for path in _lock_files(self._ledger)]
            return sorted(name for name in names if not self._is_own(name) and lives(self._ledger, name))

    def end(self) -> None:
        """End this process's run; its file goes with it."""
        with self._starting, file.named_problems(self._ledger):
            run, self._run = self._run, None
            if run is not None:
                run.end()

    def _is_own(self, run: str) -> bool:
        with self._starting:
            return self._run is not None and self._run.name == run


def lives(ledger: Path, name: str) -> bool:
    """Whether the run of that name lives."""
    try:
        descriptor = os.open(lock_file(ledger, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lock_file(ledger: Path, name: str) -> Path:
    """The file whose lock tells that a run lives."""
    return ledger.with_name(f"{ledger.name}.run-{name}")


def _lock_files(ledger: Path) -> Iterator[Path]:
    return ledger.parent.glob(f"{glob.escape(ledger.name)}.run-*")


def _forget_dead(ledger: Path) -> None:
    """Remove the lock files of dead runs; each is held while it is removed."""
    for path in _lock_files(ledger):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
