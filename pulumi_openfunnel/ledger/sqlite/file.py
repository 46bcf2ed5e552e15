"""The ledger's file: an SQLite database that is safe to write keys to, or one line that says why it is not."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import LedgerUnusable

_ANOTHER = "name another file: pulumi config set openfunnel:ledger /path/to/ledger.db"
_KEEP = f"Keep the file, which may hold the only copy of a key; restore it from a backup, or {_ANOTHER}"


@dataclass(frozen=True)
class Schema:
    """What a database is to hold.

    Attributes:
        application_id: what SQLite's header says of whose database it is.
        version: of the tables; a file of a later one is not touched.
        statements: make the tables.
    """

    application_id: int
    version: int
    statements: tuple[str, ...]


def connect(path: Path, schema: Schema, patience: float) -> sqlite3.Connection:
    """Open the ledger's database, and make it where there is none: 0600, in a directory of 0700.

    Args:
        path: the file, absolute.
        schema: what it holds.
        patience: seconds to wait for another process's write.

    Raises:
        LedgerUnusable: one line that says what is wrong with it.
    """
    with named_problems(path):
        _make(path)
        # Threads share the connection, one after the other.
        db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            _prepare(path, db, schema)
        except BaseException:
            db.close()
            raise
    return db


def unusable(path: Path, problem: str, way_out: str = _ANOTHER, *, transient: bool = False) -> LedgerUnusable:
    """The error that says why the ledger cannot be used."""
    return LedgerUnusable(path, problem, f"{way_out[0].upper()}{way_out[1:]}.", transient=transient)


def check_creatable(path: Path) -> None:
    """Raise LedgerUnusable where a ledger could not be made; make nothing."""
    above = next(parent for parent in path.parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise unusable(path, f"cannot be made: {above} is not a directory that can be written")


@contextlib.contextmanager
def named_problems(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into LedgerUnusable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        failure = named(path, error)
    else:
        return
    raise failure


def named(path: Path, error: sqlite3.Error | OSError) -> LedgerUnusable:  # noqa: PLR0911 - a table
    """What SQLite or the system says, in our words; their messages hold no data."""
    text = str(error)
    if isinstance(error, OSError):
        if error.errno == errno.ELOOP:
            return unusable(path, "is a symbolic link", "give the path of the file itself: openfunnel:ledger")
        return unusable(path, f"cannot be used: {os.strerror(error.errno or errno.EIO)}")
    if "locked" in text:
        way_out = "wait for it to end, and run pulumi up again"
        return unusable(path, "is locked by another process", way_out, transient=True)
    if "not a database" in text:
        return unusable(path, "is no ledger, but another kind of file", _KEEP)
    if "malformed" in text or "corrupt" in text:
        return unusable(path, "is damaged", _KEEP)
    if "full" in text:
        return unusable(path, "cannot be written: the disk is full", "free some space, and run pulumi up again")
    if "readonly" in text or "unable to open" in text:
        return unusable(path, "cannot be written", f"make it and its directory writable, or {_ANOTHER}")
    return unusable(path, f"cannot be used: {text}")


def pragma(db: sqlite3.Connection, name: str) -> int | str:
    """The value of one of SQLite's settings."""
    value: int | str = db.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _make(path: Path) -> None:
    """Make the file and its directory where they are missing; see that nobody else can write it."""
    for directory in reversed(path.parents):
        if not os.path.lexists(directory):
            directory.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    # Looked at by name: closing a descriptor of our own would drop SQLite's locks.
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(found.st_mode):
        raise unusable(path, "is no file")
    if os.geteuid() not in (0, found.st_uid):
        raise unusable(path, "belongs to another user of this machine")
    if found.st_mode & 0o077:
        path.chmod(0o600)  # every answer in it is sealed, so that others could read it gave no key away


def _prepare(path: Path, db: sqlite3.Connection, schema: Schema) -> None:
    """Make every write reach the disk before it counts, and be sure that the file is a ledger."""
    version = pragma(db, "user_version")
    application = pragma(db, "application_id")
    if (application, version) != (0, 0) and application != schema.application_id:
        raise unusable(path, "is another program's database")
    if isinstance(version, int) and version > schema.version:
        raise unusable(
            path, "was written by a newer version of pulumi-openfunnel", "run: pip install --upgrade pulumi-openfunnel"
        )
    for setting, value in (("journal_mode", "truncate"), ("synchronous", 3), ("secure_delete", 1)):
        db.execute(f"PRAGMA {setting} = {value}")
        if pragma(db, setting) != value:
            raise unusable(path, f"cannot be written durably: {setting} is {pragma(db, setting)}")
    if pragma(db, "quick_check") != "ok":
        raise unusable(path, "is damaged", _KEEP)
    if version == 0:
        _create(path, db, schema)


def _create(path: Path, db: sqlite3.Connection, schema: Schema) -> None:
    with db:  # all of it or nothing
        db.execute("BEGIN IMMEDIATE")
        if pragma(db, "user_version") == 0:  # nobody else was faster
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise unusable(path, "is another program's database")
            for statement in schema.statements:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {schema.application_id}")
            db.execute(f"PRAGMA user_version = {schema.version}")
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make the file's name reach the disk as well, where a file system can do that."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
