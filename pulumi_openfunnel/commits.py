"""Changes to a database by many threads: those that come close together reach the disk by one commit."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from . import database

_GATHERING = 0.002  # seconds in which other threads may join a commit


class Commits:
    """The changes to one database. A commit costs several times what a change costs, so threads share one.

    Args:
        path: the database's file.
        db: a connection to it, which is used under the lock alone.

    Attributes:
        lock: is held while a change is made.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.lock = threading.RLock()
        self._path = path
        self._db = db
        self._file = path.stat()
        self._counting = threading.Lock()
        self._writers = 0  # threads that wait for the lock to change something
        self._commit: _Commit | None = None  # the one that changes become part of now
        self._crowded = False  # whether the last one was of several threads

    @contextlib.contextmanager
    def change(self, *, statements: int = 2, wait: bool = True) -> Iterator[None]:
        """A change: all or nothing of it, and on the disk when the context ends. Its first thread commits for all.

        Args:
            statements: how many it changes something by; one is all or nothing in itself.
            wait: whether to wait for the disk when another thread commits.

        Raises:
            LedgerUnusable: when the file cannot be written.
        """
        with self._counting:
            self._writers += 1
        with self.lock:
            with self._counting:
                self._writers -= 1
            commit = self._joined()
            leads = commit.changes == 0
            commit.changes += 1
            try:
                with self._undone_on_error(commit, savepoint=statements > 1):
                    yield
            except BaseException:
                if leads:
                    self._end(commit)
                raise
        if leads:
            try:
                if self._crowded or self._writers:
                    time.sleep(_GATHERING)
            finally:  # whoever joined it waits for its end
                with self.lock:
                    self._end(commit)
        if leads or wait:
            commit.wait(self._path)

    def _joined(self) -> _Commit:
        """The commit that a change becomes part of."""
        if self._commit is None:
            with database.named_problems(self._path):
                if not self._path.exists() or not os.path.samestat(self._path.stat(), self._file):
                    raise database.unusable(self._path, "was removed or replaced while it was in use")
                self._db.execute("BEGIN IMMEDIATE")
            self._commit = _Commit()
        if self._commit.error is not None:
            raise database.named(self._path, self._commit.error)
        return self._commit

    def _end(self, commit: _Commit) -> None:
        """Bring all changes to the disk that are part of a commit."""
        self._commit = None
        self._crowded = commit.changes > 1
        try:
            if commit.error is None:
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            commit.error = error
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        finally:
            commit.done.set()

    @contextlib.contextmanager
    def _undone_on_error(self, commit: _Commit, *, savepoint: bool) -> Iterator[None]:
        with database.named_problems(self._path):
            if savepoint:
                self._db.execute("SAVEPOINT change")
            try:
                yield
            except BaseException as error:
                if not self._db.in_transaction and isinstance(error, sqlite3.Error):
                    commit.error = error  # SQLite has undone everybody's changes
                elif savepoint and self._db.in_transaction:
                    self._db.execute("ROLLBACK TO change")
                raise
            finally:
                if savepoint and self._db.in_transaction:
                    self._db.execute("RELEASE change")


class _Commit:
    """One commit of several changes, by threads that wait for it."""

    def __init__(self) -> None:
        self.changes = 0
        self.done = threading.Event()
        self.error: sqlite3.Error | None = None

    def wait(self, path: Path) -> None:
        self.done.wait()
        if self.error is not None:
            raise database.named(path, self.error)
