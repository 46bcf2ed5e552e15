"""Changes to a database by many threads: those that come while another one is written reach the disk by one commit."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ...errors import LedgerUnusable
from . import database

_GATHERING = 0.002  # seconds in which other threads may join a commit, when they did so the last time

T = TypeVar("T")


class Commits:
    """The changes to one database. A commit costs several times what a change costs, so threads share one.

    One thread at a time leads: it makes the changes of all that wait, commits them, and hands on. So the connection is
    not passed from thread to thread with every statement, which would cost more than the statements.

    Args:
        path: the database's file.
        db: a connection to it.

    Attributes:
        lock: is held while the connection is used.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.lock = threading.RLock()
        self._path = path
        self._db = db
        self._file = path.stat()
        self._queueing = threading.Lock()
        self._queue: list[_Change] = []
        self._led = False  # whether a thread leads
        self._crowded = False  # whether the last commit was of several changes

    def make(self, work: Callable[[], T], *, statements: int = 2, wait: bool = True) -> T:
        """Make a change: all or nothing of it, and on the disk when this returns.

        Args:
            work: makes it, in whatever thread.
            statements: how many it changes something by; one is all or nothing in itself.
            wait: whether to wait for the disk; else for the change alone.

        Raises:
            LedgerUnusable: when the file cannot be written.
        """
        mine = _Change(work, savepoint=statements > 1, wait=wait)
        with self._queueing:
            self._queue.append(mine)
            mine.leads = not self._led
            self._led = True
        if not mine.leads:
            mine.woken.wait()
        if mine.leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    def _lead(self) -> None:
        """Commit what waits, then let the first of those lead who came in the meantime."""
        try:
            if self._crowded:
                time.sleep(_GATHERING)
        finally:  # whoever waits is woken
            with self.lock:
                with self._queueing:
                    changes, self._queue = self._queue, []
                try:
                    self._commit(changes)
                finally:
                    self._crowded = len(changes) > 1
                    self._hand_on()

    def _hand_on(self) -> None:
        with self._queueing:
            following = self._queue[0] if self._queue else None
            self._led = following is not None
        if following is not None:
            following.leads = True
            following.woken.set()

    def _commit(self, changes: list[_Change]) -> None:
        """Make changes and bring them to the disk; what fails for all is the error of each."""
        failure: Exception | None = LedgerUnusable(self._path, "was not written", "Run pulumi up again.")
        try:
            self._begin()
            for change in changes:
                self._make(change)
            self._db.execute("COMMIT")
            failure = None
        except (sqlite3.Error, OSError, LedgerUnusable) as error:
            failure = error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for change in changes:
                if failure is not None and change.error is None:
                    change.error = self._named(failure)
                change.woken.set()

    def _begin(self) -> None:
        if not self._path.exists() or not os.path.samestat(self._path.stat(), self._file):
            raise database.unusable(self._path, "was removed or replaced while it was in use")
        self._db.execute("BEGIN IMMEDIATE")

    def _make(self, change: _Change) -> None:
        """Make one change of a commit.

        Raises:
            sqlite3.Error: when SQLite undid the others' changes as well.
        """
        try:
            with self._undone_on_error(savepoint=change.savepoint):
                change.result = change.work()
        except Exception as error:
            change.error = self._named(error)
            if not self._db.in_transaction:
                raise
        else:
            if not change.wait:
                change.woken.set()

    @contextlib.contextmanager
    def _undone_on_error(self, *, savepoint: bool) -> Iterator[None]:
        if not savepoint:
            yield
            return
        self._db.execute("SAVEPOINT change")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK TO change")
            raise
        finally:
            if self._db.in_transaction:
                self._db.execute("RELEASE change")

    def _named(self, error: Exception) -> Exception:
        """The error for one thread, in our words where it is SQLite's or the system's."""
        if isinstance(error, LedgerUnusable):
            return error.again()  # each says more of its own
        return database.named(self._path, error) if isinstance(error, sqlite3.Error | OSError) else error


class _Change:
    """One change, by a thread that waits for it."""

    def __init__(self, work: Callable[[], Any], *, savepoint: bool, wait: bool) -> None:
        self.work = work
        self.savepoint = savepoint
        self.wait = wait
        self.leads = False
        self.woken = threading.Event()
        self.result: Any = None
        self.error: Exception | None = None
