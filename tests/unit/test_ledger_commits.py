"""Changes of several threads that go to the ledger's disk by one commit: together, and each for itself."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Row, Status
from pulumi_openfunnel.ledger.sqlite import commits, database

from .rows import ALICE, BOB, KEY_ID, PRINT, answered, asked

ENDS = 10.0  # seconds; whoever takes longer hangs
COUNT = 6

Together = Callable[..., list[Exception | None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    with closing(Ledger(path)) as opened:
        yield opened


@pytest.fixture
def together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Together:
    """Make changes, each by a thread of its own, while the first thread waits for the others; give their errors."""
    gathering, gathered = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        gathering.set()
        gathered.wait(ENDS)

    def change_together(*changes: Callable[[], object]) -> list[Exception | None]:
        errors: list[Exception | None] = [None] * len(changes)

        def change(number: int) -> None:
            try:
                changes[number]()
            except Exception as error:  # noqa: BLE001 - whatever it is
                errors[number] = error

        first, *others = [threading.Thread(target=change, args=(n,), daemon=True) for n in range(len(changes))]
        monkeypatch.setattr(commits, "time", SimpleNamespace(time=time.time, sleep=sleep))
        ledger._commits._crowded = True
        first.start()
        assert gathering.wait(ENDS)
        for waiting, other in enumerate(others, 2):
            other.start()
            _until(lambda: len(ledger._commits._queue) == waiting)  # noqa: B023 - called at once
        gathered.set()
        for thread in (first, *others):
            thread.join(ENDS)
            assert not thread.is_alive()
        return errors

    return change_together


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ENDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def _user(number: int) -> Identity:
    return replace(BOB, internal_email=f"user{number}@orchestrator.com")


def _asking(ledger: Ledger, count: int = COUNT) -> list[Callable[[], object]]:
    return [lambda number=number: ledger.begin(_user(number)) for number in range(count)]  # type: ignore[misc]


def _on_disk(path: Path) -> list[Row]:
    with closing(Ledger(path)) as another:
        return another.rows()


def _raising(ledger: Ledger) -> None:
    def work() -> None:
        ledger._insert(ALICE, Status.ASKED)
        raise KeyError("no")

    ledger._commits.make(work)


def _second_live_row(ledger: Ledger) -> None:
    ledger._commits.make(lambda: [ledger._insert(ALICE, Status.ASKED) for _ in range(2)])


FAILURES = [
    pytest.param(_raising, KeyError, id="an error of its own"),
    pytest.param(_second_live_row, LedgerUnusable, id="an error of SQLite"),
]


def test_they_are_one_commit(ledger: Ledger, path: Path, together: Together) -> None:
    """Changes that come while another one waits for company go to the disk by the same commit, all of them."""
    statements: list[str] = []
    ledger._db.set_trace_callback(statements.append)
    assert together(*_asking(ledger)) == [None] * COUNT
    assert statements.count("COMMIT") == 1
    rows = _on_disk(path)
    assert {row.identity for row in rows} == {_user(number) for number in range(COUNT)}
    assert all((row.attempts, row.status, row.asking) == (1, Status.ASKED, True) for row in rows)


def test_a_change_alone_waits_for_nobody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread's changes, one after the other, are not slowed down."""
    waits: list[float] = []
    monkeypatch.setattr(commits, "time", SimpleNamespace(time=time.time, sleep=waits.append))
    for number in range(3):
        asked(ledger, _user(number))
    assert waits == []


@pytest.mark.parametrize(("fail", "class_"), FAILURES)
def test_one_that_fails_undoes_only_itself(
    ledger: Ledger, path: Path, together: Together, fail: Callable[[Ledger], None], class_: type[Exception]
) -> None:
    """A change that fails among others is undone, with its error; those before it and behind it are on the disk."""
    changes = _asking(ledger)
    changes.insert(COUNT // 2, lambda: fail(ledger))
    errors = together(*changes)
    assert isinstance(errors.pop(COUNT // 2), class_)
    assert errors == [None] * COUNT
    assert {row.identity for row in _on_disk(path)} == {_user(number) for number in range(COUNT)}


@pytest.mark.parametrize(("fail", "class_"), FAILURES)
def test_a_first_one_that_fails_holds_nobody_up(
    ledger: Ledger, path: Path, fail: Callable[[Ledger], None], class_: type[Exception]
) -> None:
    """After a failed change, which others would have joined, the next one is made as if it had not been."""
    ledger._commits._crowded = True
    with pytest.raises(class_):
        fail(ledger)
    row = asked(ledger)
    assert _on_disk(path) == [row]


def test_a_full_disk_is_told_to_all(ledger: Ledger, path: Path, together: Together) -> None:
    """When a change does not fit and SQLite undoes all, each thread gets the error; with space all goes on."""
    row = answered(ledger)
    before = _on_disk(path)
    ledger._db.execute("PRAGMA max_page_count = 1")  # taken as: no page more
    changes = _asking(ledger, 3)
    changes.insert(2, lambda: ledger.answered(row, bytes(65536), KEY_ID))
    errors = together(*changes)
    assert [error.problem for error in errors if isinstance(error, LedgerUnusable)] == [
        "cannot be written: the disk is full"
    ] * 4
    assert _on_disk(path) == ledger.rows() == before
    ledger._db.execute("PRAGMA max_page_count = 100000")
    for change in changes:
        change()
    assert len(_on_disk(path)) == 4


def test_a_commit_that_fails_is_told_to_all(ledger: Ledger, path: Path, together: Together) -> None:
    """When the commit itself fails, nobody's change is there, nobody is said to be at it, and it can be repeated."""
    changes = _asking(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        errors = together(*changes)
    assert [error.problem for error in errors if isinstance(error, LedgerUnusable)] == [
        "is locked by another process"
    ] * COUNT
    assert _on_disk(path) == []
    assert ledger._mine == set()
    for change in changes:
        change()
    assert len(_on_disk(path)) == COUNT


def test_what_the_disk_repeats_is_not_waited_for(ledger: Ledger, path: Path, together: Together) -> None:
    """That an answer was believed, which another commit takes along, is on the disk with that one."""
    row = answered(ledger)
    issued = threading.Event()

    def issue() -> None:
        ledger.issued(row, PRINT)
        issued.set()

    def look(statement: str) -> None:
        if statement == "COMMIT":
            assert issued.wait(ENDS)

    ledger._db.set_trace_callback(look)
    assert together(lambda: asked(ledger, BOB), issue) == [None] * 2
    assert issued.is_set()
    assert [found.status for found in _on_disk(path)] == [Status.ISSUED, Status.ASKED]
