"""Files in the place of a ledger's that cannot be used, and one that can."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from pathlib import Path

import pytest

from pulumi_openfunnel.ledger.sqlite.store import SCHEMA, SqliteStore

from .helpers import together

COUNT = 200
"""Documents in :func:`full`."""

DAMAGED = "is damaged"
NO_LEDGER = "is no ledger, but another kind of file"
ANOTHER_PROGRAM = "is another program's database"
NEWER = "was written by a newer version of pulumi-openfunnel"


@cache
def full() -> bytes:
    """A ledger's file of some documents."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        with closing(SqliteStore(path)) as store:
            together([partial(store.put_new, f"users/{number}", os.urandom(400)) for number in range(COUNT)])
        return path.read_bytes()


def link(at: Path) -> Path:
    (at / "real.db").write_bytes(full())
    (at / "ledger.db").symlink_to(at / "real.db")
    return at / "ledger.db"


def dangling_link(at: Path) -> Path:
    (at / "ledger.db").symlink_to(at / "missing.db")
    return at / "ledger.db"


def directory(at: Path) -> Path:
    (at / "ledger.db").mkdir()
    return at / "ledger.db"


def _pipe(at: Path) -> Path:
    os.mkfifo(at / "ledger.db")
    return at / "ledger.db"


def behind_a_file(at: Path) -> Path:
    (at / "file").touch()
    return at / "file" / "ledger.db"


def _nowhere(_at: Path) -> Path:
    return Path("/proc/x/ledger.db")  # root cannot write there either


def holding(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        (at / "ledger.db").write_bytes(content())
        return at / "ledger.db"

    return make


def corrupted() -> bytes:
    content = full()
    middle = len(content) // 2 // 4096 * 4096
    return content[:middle] + b"\xa5" * 8192 + content[middle + 8192 :]


def _with(*statements: str, first: Callable[[], bytes] = bytes) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = at / "ledger.db"
        path.write_bytes(first())
        with closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()
        return path

    return make


newer = _with(f"PRAGMA user_version = {SCHEMA.version + 1}", first=full)
UNUSABLE = [
    pytest.param(link, "is a symbolic link", id="link"),
    pytest.param(dangling_link, "is a symbolic link", id="dangling link"),
    pytest.param(directory, "is no file", id="directory"),
    pytest.param(_pipe, "is no file", id="pipe"),
    pytest.param(behind_a_file, "cannot be used: Not a directory", id="parent is a file"),
    pytest.param(_nowhere, "cannot be used: No such file or directory", id="unwritable"),
    pytest.param(holding(lambda: b"My keys:\n" * 500), NO_LEDGER, id="text"),
    pytest.param(holding(lambda: b"My key"), NO_LEDGER, id="a word"),
    pytest.param(holding(lambda: bytes(8192)), NO_LEDGER, id="zeros"),
    pytest.param(holding(lambda: full()[: len(full()) // 2]), DAMAGED, id="half"),
    pytest.param(holding(lambda: full()[:-4096]), DAMAGED, id="last page missing"),
    pytest.param(holding(corrupted), DAMAGED, id="corrupted"),
    pytest.param(_with("CREATE TABLE documents (id)"), ANOTHER_PROGRAM, id="another program's"),
    pytest.param(_with("PRAGMA application_id = 7", "PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another id"),
    pytest.param(_with("PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another version"),
    pytest.param(newer, NEWER, id="newer"),
]
