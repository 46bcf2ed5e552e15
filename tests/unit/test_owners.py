"""Which runs live, with real processes that end in every way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
from pathlib import Path

import pytest

from pulumi_openfunnel.ledger.sqlite.owners import Run, lives

from .processes import PROCESS_ENDS, line, process, tell

RUN = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.sqlite.owners import Run
run = Run(Path(sys.argv[1]))
print(run.name, flush=True)
sys.stdin.read()
"""
RUN_TOGETHER = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.sqlite.owners import Run
print("ready", flush=True)
sys.stdin.readline()
run = Run(Path(sys.argv[1]))
print(run.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger [1]*?.db"  # a name that a glob would read otherwise


def _lock_files(ledger: Path) -> list[str]:
    return sorted(path.name for path in ledger.parent.iterdir() if ".run-" in path.name)


def test_a_run_lives_from_its_start(ledger: Path) -> None:
    """A run of this process lives as soon as it is made, until it is ended; then its file is gone."""
    run = Run(ledger)
    assert lives(ledger, run.name)
    assert _lock_files(ledger) == [f"{ledger.name}.run-{run.name}"]
    run.end()
    assert not lives(ledger, run.name)
    assert _lock_files(ledger) == []


def test_its_file_is_its_users_alone(ledger: Path) -> None:
    """Nobody else can take the lock of a run: its file is 0600, whatever the umask."""
    before = os.umask(0)
    try:
        run = Run(ledger)
    finally:
        os.umask(before)
    (name,) = _lock_files(ledger)
    assert stat.S_IMODE(ledger.with_name(name).stat().st_mode) == 0o600
    run.end()


def test_an_unknown_run_does_not_live(ledger: Path) -> None:
    """A run without a lock file is dead, and asking makes no file."""
    assert not lives(ledger, "0" * 32)
    assert _lock_files(ledger) == []


def test_looking_twice_changes_nothing(ledger: Path) -> None:
    """A run that was looked at still lives, and a dead one is still dead."""
    run = Run(ledger)
    assert [lives(ledger, run.name) for _ in range(3)] == [True] * 3
    ledger.with_name(f"{ledger.name}.run-dead").touch()
    assert [lives(ledger, "dead") for _ in range(3)] == [False] * 3
    run.end()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None], ids=["SIGKILL", "SIGTERM", "by itself"])
def test_a_run_lives_while_its_process_lives(ledger: Path, end: signal.Signals | None) -> None:
    """Another process's run lives until that process ends, however it ends."""
    with process(RUN, str(ledger)) as child:
        name = line(child)
        assert lives(ledger, name)
        if end is None:
            child.communicate(timeout=PROCESS_ENDS)
        else:
            child.send_signal(end)
            child.wait(PROCESS_ENDS)
        assert not lives(ledger, name)


def test_a_stopped_process_lives(ledger: Path) -> None:
    """A process that is stopped for the moment will go on: its run lives."""
    with process(RUN, str(ledger)) as child:
        name = line(child)
        child.send_signal(signal.SIGSTOP)
        assert lives(ledger, name)


def test_a_child_of_the_process_does_not_keep_it_alive(ledger: Path) -> None:
    """A program that the process started does not inherit the lock."""
    started = "import subprocess; sub = subprocess.Popen(['sleep', '30']); print(sub.pid, flush=True)"
    with process(RUN.replace("sys.stdin.read()", f"{started}\nsys.stdin.read()"), str(ledger)) as child:
        name, pid = line(child), int(line(child))
        try:
            child.kill()
            child.wait(PROCESS_ENDS)
            assert not lives(ledger, name)
        finally:
            os.kill(pid, signal.SIGKILL)


def test_the_next_run_removes_what_dead_ones_left(ledger: Path) -> None:
    """Lock files of killed processes go away; those of living runs and all other files stay."""
    with process(RUN, str(ledger)) as killed, process(RUN, str(ledger)) as living:
        dead, alive = line(killed), line(living)
        killed.kill()
        killed.wait(PROCESS_ENDS)
        others = [ledger.with_name(name) for name in (ledger.name, "ledger [1]*?.db.run", "another.db.run-0")]
        for other in others:
            other.touch()
        run = Run(ledger)
        assert not lives(ledger, dead)
        assert lives(ledger, alive)
        files = {path.name for path in ledger.parent.iterdir()}
        expected = {f"{ledger.name}.run-{alive}", f"{ledger.name}.run-{run.name}"}
        assert files == expected | {other.name for other in others}
        run.end()


def test_a_link_in_place_of_a_lock_file_is_not_followed(ledger: Path) -> None:
    """What a link among the lock files points to is neither locked nor removed nor made."""
    kept, missing = ledger.with_name("kept"), ledger.with_name("missing")
    kept.write_text("kept")
    ledger.with_name(f"{ledger.name}.run-a").symlink_to(kept)
    ledger.with_name(f"{ledger.name}.run-b").symlink_to(missing)
    with kept.open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        run = Run(ledger)
    assert kept.read_text() == "kept"
    assert not missing.exists()
    assert lives(ledger, run.name)
    run.end()


def test_a_directory_in_place_of_a_lock_file_is_left_alone(ledger: Path) -> None:
    """What is no file among the lock files stands in nobody's way."""
    ledger.with_name(f"{ledger.name}.run-a").mkdir()
    run = Run(ledger)
    assert lives(ledger, run.name)
    assert ledger.with_name(f"{ledger.name}.run-a").is_dir()
    run.end()


def test_a_run_needs_a_file(tmp_path: Path) -> None:
    """Where no lock file can be made, there is no run."""
    with pytest.raises(OSError, match="No such file"):
        Run(tmp_path / "missing" / "ledger.db")


def test_runs_that_start_at_once_all_live(ledger: Path) -> None:
    """Processes that start at the same moment, beside the remains of dead ones, each get a lock of their own."""
    for number in range(50):
        ledger.with_name(f"{ledger.name}.run-{number}").touch()
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(process(RUN_TOGETHER, str(ledger))) for _ in range(5)]
        assert {line(child) for child in children} == {"ready"}
        for child in children:
            tell(child)
        names = {line(child) for child in children}
        assert len(names) == 5
        assert all(lives(ledger, name) for name in names)
    assert not any(lives(ledger, name) for name in names)


def test_a_name_that_was_taken_for_dead_is_given_up(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose file is removed between its making and its locking takes another."""
    real = fcntl.flock
    removed: list[str] = []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:  # as another process does that took the file for a dead run's
            removed.extend(_lock_files(ledger))
            ledger.with_name(removed[0]).unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    run = Run(ledger)
    assert not removed[0].endswith(run.name)
    assert lives(ledger, run.name)
    run.end()
