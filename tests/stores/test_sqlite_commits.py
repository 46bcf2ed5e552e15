"""Threads that write to the ledger's file share its commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore

from .helpers import ENDS, together

LOCKED = "is locked by another process"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, patience=0.2)) as opened:
        yield opened


class Held:
    """Holds the first commit until others wait for theirs.

    Args:
        store: whose commits.
        waiting: how many threads have to wait.

    Attributes:
        commits: how many there were.
    """

    def __init__(self, store: SqliteStore, waiting: int) -> None:
        self.commits = 0
        self._store = store
        self._waiting = waiting
        assert store._db is not None
        store._db.set_trace_callback(self._look)

    def _look(self, statement: str) -> None:
        if statement != "COMMIT":
            return
        self.commits += 1
        if self.commits == 1:
            with self._store._turn:
                assert self._store._turn.wait_for(lambda: len(self._store._waiting) == self._waiting, ENDS)


def _announcing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let those who look hear of each change that begins to wait."""
    real = store._turn.wait_for

    def wait_for(predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        store._turn.notify_all()
        return real(predicate, timeout)

    monkeypatch.setattr(store._turn, "wait_for", wait_for)


def test_threads_share_a_commit(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes that come while a commit is made reach the disk by the next one, all of them."""
    _announcing(store, monkeypatch)
    held = Held(store, 19)
    results = together([partial(store.put_new, f"users/{number}", b"A") for number in range(20)])
    assert all(isinstance(result, str) for result in results)
    assert held.commits == 2
    with closing(SqliteStore(path)) as another:
        assert len(another.names("users/")) == 20


def test_a_commit_that_fails_is_told_to_all(store: SqliteStore, path: Path) -> None:
    """When a commit fails, nobody's change is there, each gets an error of its own, and all can be repeated."""
    changes = [partial(store.put_new, f"users/{number}", b"A") for number in range(12)]
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents").fetchone()
        errors = together(changes)
    assert [error.problem for error in errors if isinstance(error, LedgerUnusable)] == [LOCKED] * 12
    assert len({id(error) for error in errors}) == 12
    assert store.names("") == []
    assert all(isinstance(result, str) for result in together(changes))


def test_an_interrupted_commit_is_told_to_all(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the thread that commits for others is interrupted, they hear that nothing was written, and can go on."""
    began = threading.Event()
    real = store._made

    def made(_changes: object) -> list[int]:
        began.set()
        monkeypatch.setattr(store, "_made", real)
        with store._turn:
            assert store._turn.wait_for(lambda: len(store._waiting) == 1, ENDS)
        raise KeyboardInterrupt

    _announcing(store, monkeypatch)
    monkeypatch.setattr(store, "_made", made)

    def interrupted() -> str:
        with pytest.raises(KeyboardInterrupt):
            store.put_new("users/a", b"A")
        return "interrupted"

    def other() -> str:
        assert began.wait(ENDS)
        return store.put_new("users/b", b"B")

    first, second = together([interrupted, other])
    assert first == "interrupted"
    assert isinstance(second, str)
    assert store.names("") == ["users/b"]
