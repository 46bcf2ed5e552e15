"""What a create and a preview do where the ledger's file cannot be used: the store's tests say when that is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.opening import ledger_at
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sqlite.owners import FlockOwners
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
from pulumi_openfunnel.places import FilePlace
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser
from pulumi_openfunnel.provisioning.ownership import check_end_users

from ..servers import ScriptedServer, hides_keys
from ..stores.files import UNUSABLE, behind_a_file, corrupted, dangling_link, directory, full, holding
from .provisions import ALICE, Callers, created, over, provisioned, scripted
from .rules import asked

NO_REQUEST = " No request was sent."


def _unusable(path: Path, action: Callable[[], object], *, at_create: bool = True) -> str:
    """What is wrong with a ledger; the error is one line, names the file, says what to do and holds no key."""
    with pytest.raises(LedgerUnusable) as caught:
        action()
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"The ledger {path} {caught.value.problem}. ")
    assert message.endswith(NO_REQUEST) == at_create
    assert message.endswith(".")
    assert str(caught.value.place) == str(path)
    assert hides_keys(caught.value)
    return caught.value.problem


@pytest.mark.parametrize(("make", "problem"), UNUSABLE)
def test_without_a_ledger_nothing_is_requested(
    tmp_path: Path, server: ScriptedServer, callers: Callers, make: Callable[[Path], Path], problem: str
) -> None:
    """A ledger that cannot be used is one line that names it, before any request, each time; what is there stays."""
    path = make(tmp_path)
    before = path.read_bytes() if path.is_file() else None
    caller = callers(server.base_url, path)
    assert [_unusable(path, lambda: provision(caller, ALICE)) for _ in range(2)] == [problem] * 2
    assert server.requests == []
    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.parametrize("make", [directory, behind_a_file, dangling_link, holding(corrupted)])
def test_a_preview_tells_as_well(
    tmp_path: Path, server: ScriptedServer, callers: Callers, make: Callable[[Path], Path]
) -> None:
    """What would stand in a create's way is told before, and nothing is made."""
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    _unusable(path, lambda: check_end_users(callers(server.base_url, path), [ALICE]), at_create=False)
    assert sorted(tmp_path.iterdir()) == before


def test_a_preview_makes_no_ledger(tmp_path: Path, server: ScriptedServer, callers: Callers) -> None:
    """A preview where there is no ledger yet is silent, and makes neither file nor directory."""
    check_end_users(callers(server.base_url, tmp_path / "a" / "ledger.db"), [ALICE])
    assert list(tmp_path.iterdir()) == []


def test_a_locked_ledger_is_waited_for_and_then_told(path: Path, server: ScriptedServer, callers: Callers) -> None:
    """Whoever else holds the whole file is told of, before any request; when they let go, all is well."""
    caller = over(callers(server.base_url), Ledger(SqliteStore(path, patience=0.2), FlockOwners(path)))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert _unusable(path, lambda: provision(caller, ALICE)) == "is locked by another process"
    assert server.requests == []
    scripted(server, created())
    provisioned(caller)


@pytest.mark.parametrize("replace", [False, True], ids=["removed", "replaced"])
def test_a_ledger_that_went_away_is_not_written_to(
    path: Path, server: ScriptedServer, callers: Callers, replace: bool
) -> None:
    """Once its file is removed or replaced, nothing is requested and nothing is made in its place."""
    caller = callers(server.base_url, path)
    scripted(server, created())
    provisioned(caller)
    path.rename(path.with_name("kept.db"))
    if replace:
        path.write_bytes(full())
    before = len(server.requests)
    bob = EndUser("bob@bob.com", "bob@orchestrator.com")
    problem = _unusable(path, lambda: provision(caller, bob))
    assert problem == "was removed or replaced while it was in use"
    assert len(server.requests) == before
    assert path.exists() == replace


def test_closing_twice_is_harmless(path: Path) -> None:
    """A ledger that is closed again closes nothing of anybody else's."""
    ledger = ledger_at(FilePlace(path))
    asked(ledger)
    ledger.close()
    with path.open("rb") as another:  # takes the descriptor that the run had
        ledger.close()
        assert another.read(6) == b"SQLite"
