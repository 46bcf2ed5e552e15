"""Who lives at a ledger's file, with real processes that end in every way."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.owners import Owners
from pulumi_openfunnel.ledger.sqlite.owners import FlockOwners

from .helpers import ENDS, check_words, together
from .processes import line, process

RUN = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.sqlite.owners import FlockOwners
owners = FlockOwners(Path(sys.argv[1]))
print(owners.current(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger [1]*?.db"  # a name that a glob would read otherwise


def _files(ledger: Path) -> list[str]:
    return sorted(path.name for path in ledger.parent.iterdir())


def test_a_run_lives_until_it_is_ended(ledger: Path) -> None:
    """A process has one run from the first question on; once it is ended, nothing of it is left, and the next is another."""
    owners: Owners = FlockOwners(ledger)
    assert _files(ledger) == []
    run = owners.current()
    assert owners.current() == run
    assert owners.lives(run)
    assert owners.confirm(run)
    owners.end()
    assert _files(ledger) == []
    assert not owners.lives(run)
    assert not owners.confirm(run)
    assert owners.current() != run
    owners.end()
    owners.end()


def test_threads_ask_under_one_run(ledger: Path) -> None:
    """Threads that ask at the same moment get the same run."""
    owners = FlockOwners(ledger)
    assert len({str(run) for run in together([owners.current] * 16)}) == 1
    assert len(_files(ledger)) == 1
    owners.end()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_lives_while_its_process_lives(ledger: Path, end: signal.Signals) -> None:
    """Another process's run lives, stopped or not, until that process ends; it is never this one's."""
    owners = FlockOwners(ledger)
    own = owners.current()
    with process(RUN, str(ledger)) as child:
        other = line(child)
        child.send_signal(signal.SIGSTOP)
        assert owners.lives(other)
        assert not owners.confirm(other)
        assert owners.others() == [other]
        child.send_signal(signal.SIGCONT)
        child.send_signal(end)
        child.wait(ENDS)
        assert not owners.lives(other)
        assert owners.others() == []
    assert owners.confirm(own)
    owners.end()


def test_an_unknown_run_does_not_live(ledger: Path) -> None:
    """A run without a lock file is dead, and asking makes no file."""
    owners = FlockOwners(ledger)
    assert not owners.lives("0" * 32)
    assert not owners.confirm("0" * 32)
    assert owners.others() == []
    assert _files(ledger) == []


def test_no_place_for_a_lock_is_told(tmp_path: Path) -> None:
    """Where no lock file can be made, one line says so."""
    path = tmp_path / "missing" / "ledger.db"
    with pytest.raises(LedgerUnusable) as caught:
        FlockOwners(path).current()
    check_words(caught.value, str(path))
