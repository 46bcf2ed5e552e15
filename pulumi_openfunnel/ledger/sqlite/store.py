"""Documents in an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import LedgerUnusable
from ..store import Conflict, Document, fresh_ids
from . import file

SCHEMA = file.Schema(
    application_id=0x4F464C44,  # "OFLD"
    version=1,
    statements=("CREATE TABLE documents (name TEXT PRIMARY KEY, version TEXT, written REAL, body BLOB) WITHOUT ROWID",),
)
PATIENCE = 30.0  # seconds to wait for another process's write

_AT_ONCE = 500  # names in one statement
_PUT_NEW = "INSERT INTO documents VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_PUT_OVER = "UPDATE documents SET version = ?, written = ?, body = ? WHERE name = ? AND version = ?"


class SqliteStore:
    """The documents in one file, for threads of this process and for other processes.

    A commit costs several times what a change costs, so threads share one: while one is made, others wait, and the first
    of them makes the changes of all.

    Args:
        path: the file, absolute.
        create: whether to make the file where there is none; else a missing one has no documents, and is not written.
        patience: seconds to wait for another process's write.

    Raises:
        LedgerUnusable: when the file cannot be used, or could not be made.
    """

    def __init__(self, path: Path, *, create: bool = True, patience: float = PATIENCE) -> None:
        self.place = str(path)
        self._path = path
        self._fresh = fresh_ids()
        self._using = threading.Lock()  # the connection
        self._turn = threading.Condition()
        self._committing = False
        self._waiting: list[_Change] = []
        self._db: sqlite3.Connection | None = None
        if create or os.path.lexists(path):
            self._db = file.connect(path, SCHEMA, patience)
            with file.named_problems(path):
                self._file = path.stat()
        else:
            file.check_creatable(path)

    def get(self, name: str) -> Document | None:
        """See :class:`Store`."""
        return self.get_many([name]).get(name)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        """See :class:`Store`."""
        found: dict[str, Document] = {}
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._rows(f"SELECT name, body, version, written FROM documents WHERE name IN ({marks})", *some)  # noqa: S608 - marks alone
            found.update({name: Document(body, version, written) for name, body, version, written in rows})
        return found

    def put_new(self, name: str, body: bytes) -> str:
        """See :class:`Store`."""
        version = self._fresh()
        if not self._change(_PUT_NEW, name, version, time.time(), body):
            raise Conflict(name)
        return version

    def put_over(self, name: str, body: bytes, version: str) -> str:
        """See :class:`Store`."""
        following = self._fresh()
        if not self._change(_PUT_OVER, following, time.time(), body, name, version):
            raise Conflict(name)
        return following

    def remove(self, name: str) -> None:
        """See :class:`Store`."""
        self._change("DELETE FROM documents WHERE name = ?", name)

    def names(self, prefix: str) -> list[str]:
        """See :class:`Store`."""
        after = f"{prefix}\x7f"  # names are visible ASCII
        return [
            name for (name,) in self._rows("SELECT name FROM documents WHERE name >= ? AND name < ?", prefix, after)
        ]

    def close(self) -> None:
        """See :class:`Store`."""
        with self._using:
            if self._db is not None:
                self._db.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        if self._db is None:
            return []
        with self._using, file.named_problems(self._path):
            return self._db.execute(query, values).fetchall()

    def _change(self, statement: str, *values: object) -> bool:
        """Whether a statement changed a document. It is on the disk when this returns."""
        mine = _Change(statement, values)
        with self._turn:
            self._waiting.append(mine)
            self._turn.wait_for(lambda: mine.outcome is not None or not self._committing)
            if mine.outcome is None:
                self._committing = True
        if mine.outcome is None:
            self._commit()
        if isinstance(mine.outcome, LedgerUnusable):
            raise mine.outcome.again()
        return bool(mine.outcome)

    def _commit(self) -> None:
        """Make all changes that wait, with one commit; what fails is the error of each."""
        failure: LedgerUnusable | None = file.unusable(self._path, "was not written", "run pulumi up again")
        with self._turn:
            changes, self._waiting = self._waiting, []
        try:
            with self._using, file.named_problems(self._path):
                counts = self._made(changes)
            failure = None
        except LedgerUnusable as error:
            failure = error
        finally:
            with self._turn:
                for number, change in enumerate(changes):
                    change.outcome = counts[number] if failure is None else failure
                self._committing = False
                self._turn.notify_all()

    def _made(self, changes: Sequence[_Change]) -> list[int]:
        db = self._writable()
        try:
            db.execute("BEGIN IMMEDIATE")
            counts = [db.execute(change.statement, change.values).rowcount for change in changes]
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
        return counts

    def _writable(self) -> sqlite3.Connection:
        if self._db is None:
            raise file.unusable(self._path, "is not there", "run pulumi up, which makes it")
        if not self._path.exists() or not os.path.samestat(self._path.stat(), self._file):
            raise file.unusable(self._path, "was removed or replaced while it was in use")
        return self._db


class _Change:
    """A statement of a thread that waits for it.

    Attributes:
        outcome: how many documents it changed, or why it was not made; None until it is known.
    """

    def __init__(self, statement: str, values: tuple[object, ...]) -> None:
        self.statement = statement
        self.values = values
        self.outcome: int | LedgerUnusable | None = None
