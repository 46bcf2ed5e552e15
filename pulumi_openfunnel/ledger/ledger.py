"""The write-ahead record of issued keys, in SQLite: what was asked for, by whom, and what came back, sealed.

A row is written before a request goes out, and its answer before it is looked at. So whatever is killed, and
whenever: a key that reached this machine's disk is found again, and a request whose answer is not known is
remembered as such.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from .rows import Identity, Row, Status
from .sqlite import database, owners
from .sqlite.commits import Commits

_SAME = "base_url = ? AND user_id = ? AND internal_email = ? AND email = ?"
_SENT = ("attempts = attempts + 1", "unanswered = unanswered + 1")
_CAME_BACK = "unanswered = unanswered - 1"
_MOVED = "its user stands for another address now"
_STAYED = f"problem IS NOT '{_MOVED}'"
_LIVE = "(status IN ('asked', 'issued', 'released') OR (status = 'answered' AND problem IS NULL))"


P = ParamSpec("P")
T = TypeVar("T")


def _change(
    *, statements: int = 2, wait: bool = True
) -> Callable[[Callable[Concatenate[Ledger, P], T]], Callable[Concatenate[Ledger, P], T]]:
    """Makes a method a change: all or nothing of it, and on the disk when it returns; see :meth:`Commits.make`."""

    def decorate(method: Callable[Concatenate[Ledger, P], T]) -> Callable[Concatenate[Ledger, P], T]:
        @functools.wraps(method)
        def changed(self: Ledger, /, *args: P.args, **kwargs: P.kwargs) -> T:
            work = functools.partial(method, self, *args, **kwargs)
            return self._commits.make(work, statements=statements, wait=wait)

        return changed

    return decorate


class Ledger:
    """The ledger at one path, made when it is not there. Safe to share between threads and between processes.

    Every method raises LedgerUnusable when the file cannot be read or written.

    Args:
        path: its file, absolute.

    Attributes:
        path: the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run: owners.Run | None = None
        self._mine: set[int] = set()  # the rows that a thread of this process is at
        self._db = database.connect(path)
        self._commits = Commits(path, self._db)

    def close(self) -> None:
        """End this process's run and close the file."""
        with self._commits.lock:
            self._db.close()
            if self._run is not None:
                self._run.end()
            self._run = None

    # What is known

    def rows(self) -> list[Row]:
        """Every row, oldest first."""
        return self._select("1 ORDER BY id")

    def history(self, identity: Identity) -> list[Row]:
        """The identity's rows, oldest first."""
        return self._select(f"{_SAME} ORDER BY id", *astuple(identity))

    def other_end_user(self, identity: Identity, moved_from: str | None = None) -> Row | None:
        """A row that knows the internal email as another end user's, ``moved_from`` apart.

        A request that was refused, when no other can have created the user, binds nobody.
        """
        return self._first(
            f"base_url = ? AND internal_email = ? AND email NOT IN (?, ?) AND status != 'refused' AND {_STAYED}",
            *(identity.base_url, identity.internal_email, identity.email, moved_from or identity.email),
        )

    def known_elsewhere(self, identity: Identity, fingerprint: str, moved_from: str | None = None) -> Row | None:
        """A row that knows the user, or the key with this fingerprint, as another's."""
        return self.other_end_user(identity, moved_from) or self._other_holder(identity, fingerprint, moved_from)

    def is_asked_for(self, row: Row) -> bool:
        """Whether a run that lives is at the row right now."""
        if row.asking and self._run is not None and row.run == self._run.name:
            return row.id in self._mine
        with database.named_problems(owners.lock_file(self.path, row.run)):
            return row.asking and owners.lives(self.path, row.run)

    # A request's life

    def begin(self, identity: Identity) -> tuple[Row, bool]:
        """Write down that the user is going to be asked for, unless the ledger knows better.

        Returns:
            A row, and whether it is the caller's to ask for. If not, it is another end user's, or holds a key, or
            somebody is at it.
        """
        began: list[int] = []
        try:
            return self._begin(identity, began)
        except BaseException:
            self._mine.difference_update(began)
            raise

    @_change(statements=1)
    def _begin(self, identity: Identity, began: list[int]) -> tuple[Row, bool]:
        known = self.other_end_user(identity) or self._live(identity)
        if known is not None and (
            known.identity.email != identity.email or self.is_asked_for(known) or known.holds_key
        ):
            return known, False
        if known is None:
            id_ = self._insert(identity, Status.ASKED, asking=1, attempts=1, unanswered=1)
        else:
            id_ = known.id
            self._set(id_, *_SENT, run=self._own_run(), asking=1, status=Status.ASKED)
        began.append(id_)
        self._mine.add(id_)
        return self._row(id_), True

    @_change(statements=1)
    def sending(self, row: Row) -> None:
        """Another request goes out."""
        self._set(row.id, *_SENT)

    @_change(statements=1)
    def nothing_done(self, row: Row) -> None:
        """The last request certainly created nothing."""
        self._set(row.id, _CAME_BACK)

    @_change(statements=1)
    def answered(self, row: Row, sealed: bytes, key_id: str) -> None:
        """Keep an answer, before anything of it is looked at."""
        self._set(row.id, _CAME_BACK, status=Status.ANSWERED, sealed=sealed, key_id=key_id)

    @_change(statements=1)
    def cut_off(self, row: Row, sealed: bytes, key_id: str, problem: str) -> None:
        """Keep the start of an answer that broke off, beside the row that goes on."""
        self._insert(row.identity, Status.ANSWERED, sealed=sealed, key_id=key_id, problem=problem)

    @_change(statements=1, wait=False)  # the answer is on the disk, and says the same again
    def issued(self, row: Row, fingerprint: str) -> Row | None:
        """The answer was believed.

        Returns:
            None; or a row that knows this key as another's, and then nothing was written.
        """
        other = self._other_holder(row.identity, fingerprint)
        if other is None:
            self._set(row.id, status=Status.ISSUED, fingerprint=fingerprint, problem=None, asking=0)
        return other

    @_change(statements=1)
    def doubted(self, row: Row, problem: str) -> None:
        """The answer is not believed: it stays, and is never used."""
        self._set(row.id, status=Status.ANSWERED, problem=problem, asking=0)

    @_change()
    def leave(self, row: Row, *, refused: bool) -> None:
        """Stop asking. A refusal closes the row, unless another request may have created the user."""
        self._set(row.id, asking=0)
        if refused:
            only = "id = ? AND status = 'asked' AND unanswered = 0"
            self._db.execute(f"UPDATE users SET status = 'refused' WHERE {only}", (row.id,))

    def let_go(self, row: Row) -> None:
        """This process is not at the row any more."""
        self._mine.discard(row.id)

    # A key's life

    @_change(statements=1)
    def dead(self, row: Row, problem: str) -> None:
        """The key works no more."""
        self._set(row.id, status=Status.DEAD, problem=problem, asking=0)

    @_change()
    def adopted(
        self, identity: Identity, fingerprint: str, sealed: bytes, key_id: str, moved_from: str | None = None
    ) -> Row | None:
        """A key that the program brought, or one that now stands for another address of its end user.

        Args:
            identity: whose it is.
            fingerprint: the key's.
            sealed: an answer that holds it, sealed.
            key_id: the seal's.
            moved_from: the end user's address before.

        Returns:
            None; or a row that knows the user or the key as another's, or that somebody is at: nothing was written.
        """
        emails = (identity.email, moved_from or identity.email)
        live = self._select(
            f"base_url = ? AND internal_email = ? AND email IN (?, ?) AND {_LIVE}",
            *(identity.base_url, identity.internal_email, *emails),
        )
        other = self.known_elsewhere(identity, fingerprint, moved_from) or next(filter(self.is_asked_for, live), None)
        if other is not None:
            return other
        for row in live:
            self._set(row.id, status=Status.DEAD, problem="another key took its place", asking=0)
        same = self._first(
            "base_url = ? AND internal_email = ? AND email IN (?, ?) AND fingerprint = ?",
            *(identity.base_url, identity.internal_email, *emails, fingerprint),
        )
        if moved_from is not None:
            past = "base_url = ? AND internal_email = ? AND email = ?"
            for row in self._select(past, identity.base_url, identity.internal_email, moved_from):
                self._set(row.id, problem=_MOVED)
        id_ = same.id if same is not None else self._insert(identity, Status.DEAD)
        self._set(id_, **asdict(identity), fingerprint=fingerprint, sealed=sealed, key_id=key_id)
        self._set(id_, status=Status.ISSUED, problem=None, run=self._own_run(), asking=0)
        return None

    @_change()
    def released(self, internal_email: str, email: str, fingerprint: str, status: Status) -> bool:
        """The user left its stack: its key is ``released``, or ``dead``.

        Returns:
            Whether the ledger holds the key. Only then something was written.
        """
        row = self._first("internal_email = ? AND email = ? AND fingerprint = ?", internal_email, email, fingerprint)
        if row is not None and row.status is not Status.DEAD:
            self._set(row.id, status=status, asking=0, problem="seen revoked" if status is Status.DEAD else None)
        return row is not None

    @_change()
    def keep(self, identity: Identity, fingerprint: str, sealed: bytes, key_id: str, status: Status) -> None:
        """Take in a key that only a state held, because it leaves that state now."""
        taken = self._live(identity) or self.known_elsewhere(identity, fingerprint)
        id_ = self._insert(identity, Status.DEAD)
        self._set(id_, fingerprint=fingerprint, sealed=sealed, key_id=key_id)
        if status is Status.DEAD or taken is not None:
            self._set(id_, problem="seen revoked" if taken is None else "another key had taken its place")
        else:
            self._set(id_, status=status)

    # What the command does

    @_change()
    def reseal(self, row: Row, sealed: bytes, key_id: str) -> None:
        """Keep the same answer under another key."""
        self._db.execute("UPDATE users SET sealed = ?, key_id = ? WHERE id = ?", (sealed, key_id, row.id))

    @_change()
    def forget(self, rows: list[Row]) -> None:
        """Remove rows for good, with what is sealed in them."""
        self._db.executemany("DELETE FROM users WHERE id = ?", [(row.id,) for row in rows])

    # SQL

    def _select(self, where: str, *values: object) -> list[Row]:
        with self._commits.lock, database.named_problems(self.path):
            return [_row(found) for found in self._db.execute(f"SELECT * FROM users WHERE {where}", values)]

    def _first(self, where: str, *values: object) -> Row | None:
        return next(iter(self._select(f"{where} ORDER BY id DESC LIMIT 1", *values)), None)

    def _row(self, id_: int) -> Row:
        [row] = self._select("id = ?", id_)
        return row

    def _live(self, identity: Identity) -> Row | None:
        return self._first(f"{_SAME} AND {_LIVE}", *astuple(identity))

    def _other_holder(self, identity: Identity, fingerprint: str, moved_from: str | None = None) -> Row | None:
        """A row that knows the key as another user's, or another end user's."""
        return self._first(
            f"fingerprint = ? AND NOT (internal_email = ? AND email IN (?, ?)) AND {_STAYED}",
            *(fingerprint, identity.internal_email, identity.email, moved_from or identity.email),
        )

    def _insert(self, identity: Identity, status: Status, **columns: object) -> int:
        now = time.time()
        values = (
            asdict(identity)
            | {"status": status.value, "run": self._own_run(), "created": now, "changed": now}
            | columns
        )
        places = ", ".join("?" * len(values))
        sql = f"INSERT INTO users ({', '.join(values)}) VALUES ({places})"
        return int(self._db.execute(sql, tuple(values.values())).lastrowid or 0)

    def _set(self, id_: int, *counts: str, **columns: object) -> None:
        """Change columns of a row, and counts, which are given in SQL."""
        names = ", ".join([*counts, *(f"{name} = ?" for name in columns), "changed = ?"])
        values = [value.value if isinstance(value, Status) else value for value in columns.values()]
        self._db.execute(f"UPDATE users SET {names} WHERE id = ?", (*values, time.time(), id_))

    def _own_run(self) -> str:
        if self._run is None:
            self._run = owners.Run(self.path)
        return self._run.name


def _row(found: sqlite3.Row) -> Row:
    columns = dict(found)
    identity = Identity(**{name.name: columns.pop(name.name) for name in fields(Identity)})
    status, asking = Status(columns.pop("status")), bool(columns.pop("asking"))
    return Row(identity=identity, status=status, asking=asking, **columns)
