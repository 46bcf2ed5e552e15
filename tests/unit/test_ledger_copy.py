"""``ledger copy FROM TO``: a ledger moves."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pulumi_openfunnel.ledger.documents import MOVED, Moved

from ..ledger_command import WITH_KEY, at, document, refused, rows, run
from ..servers import USER_KEY
from .rules import ALICE, BOB, OTHER_KEY, answered, issued


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A ledger with alice's key."""
    path = tmp_path / "here.db"
    with at(path) as ledger:
        issued(ledger)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "a directory" / "there.db"


def _entries(path: Path) -> list[dict[str, object]]:
    """The list, without what differs in a ledger that was moved."""
    found = document("--ledger", path, "--show-keys", **WITH_KEY)["entries"]
    return [{name: value for name, value in entry.items() if name != "next"} for entry in found]


def test_a_ledger_moves(here: Path, there: Path) -> None:
    """Everything goes over, the keys open, and only the new place answers; the next command is printed."""
    before = _entries(here)
    done = run("copy", here, there)
    assert done.stdout.splitlines() == [
        f"3 documents copied from {here} to {there}.",
        f"From now on only {there} answers. Run, in each stack: pulumi config set openfunnel:ledger '{there}' (or set "
        "OPENFUNNEL_LEDGER).",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert _entries(there) == _entries(here) == before
    assert before[0]["api_key"] == USER_KEY
    assert refused(run("rekey", OPENFUNNEL_LEDGER=here, **WITH_KEY)).startswith(
        f"The ledger {here} was moved to {there}."
    )


def test_there_and_back_again(here: Path, there: Path) -> None:
    """A place that was moved away from can be moved back to; a copy of long ago is refused, which would bring back the past."""
    assert run("copy", here, there).returncode == 0
    with at(there) as ledger:
        answered(ledger, BOB, OTHER_KEY)
    assert refused(run("copy", here, there)).startswith(f"The ledger {here} was moved to {there}.")
    assert run("copy", there, here).returncode == 0
    assert [row.identity for row in rows(here)] == [ALICE, BOB]
    third = here.with_name("third.db")
    assert run("copy", here, third).returncode == 0
    assert refused(run("copy", there, here)).startswith(f"The ledger {here} was moved to {third}.")
    assert [entry["internal_email"] for entry in _entries(third)] == [ALICE.internal_email, BOB.internal_email]


@pytest.mark.parametrize("done", [False, True])
def test_one_that_broke_off_is_completed(here: Path, there: Path, done: bool) -> None:
    """Killed while it copied, or before the new place was set free: the same command again."""
    with at(here) as before:
        before.archive.write(Moved(name=MOVED, to=str(there), done=done), None)
    with at(there) as after:
        after.archive.write(Moved(name=MOVED, to="", done=False), None)
    assert "is not complete. Run again the ledger copy" in run("--ledger", there).stdout
    assert run("copy", here, there).returncode == 0
    assert [row.identity for row in rows(there)] == [ALICE]
    assert document("--ledger", there)["moved"] is None


def test_two_places_that_are_one_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are spelled; nothing is marked."""
    link = here.parent / "link"
    link.symlink_to(here.parent)
    monkeypatch.chdir(here.parent)
    for spelled in (here, "here.db", f"{here.parent}/./here.db", link / "here.db"):
        assert "is both FROM and TO. Give another place" in refused(run("copy", here, spelled))
    assert document("--ledger", here)["moved"] is None


def test_what_cannot_be_copied_is_one_line(here: Path, there: Path, tmp_path: Path) -> None:
    """And neither place is changed, or made."""
    empty, full = tmp_path / "empty.db", tmp_path / "full.db"
    shutil.copy(here, full)
    with at(empty):
        pass
    for source, target, told in (
        (tmp_path / "none.db", there, f"There is no ledger at {tmp_path}/none.db"),
        (empty, there, f"The ledger {empty} is empty. There is nothing to copy. Check FROM."),
        ("off", there, "FROM is no place for a ledger. Give /path/to/ledger.db, s3://"),
        (here, "off", "TO is no place for a ledger."),
        (here, "s3://", "TO cannot be used: openfunnel:ledger does not name a bucket behind s3://."),
        (here, "", "TO is empty. Give /path/to/ledger.db"),
        (here, "/", "TO cannot be used: openfunnel:ledger is not the absolute path of a file."),
        (here, tmp_path, f"The ledger {tmp_path} is no file."),
    ):
        assert refused(run("copy", source, target)).startswith(told)
        assert not there.exists()
    assert refused(run("copy", here, full)).startswith(f"The ledger {full} is not empty. Give another place")
    assert refused(run("--ledger", here, "copy", here, there)) == "--ledger says nothing here: give FROM and TO."
    assert document("--ledger", here)["moved"] is None


@pytest.mark.parametrize("busy", ["here", "there"])
def test_it_waits_for_runs(here: Path, there: Path, busy: str) -> None:
    """While a run uses either of them, nothing is copied."""
    with at(here if busy == "here" else there) as ledger:
        ledger.begun()
        assert "is in use by another run. Wait until it ends" in refused(run("copy", here, there))
    assert run("copy", here, there).returncode == 0


def test_a_password_is_never_shown(here: Path) -> None:
    """Whatever is wrong with a URL, and wherever it stands."""
    url = "postgres://user:pass-word@127.0.0.1:1/db"
    commands: list[list[object]] = [
        ["copy", here, url],
        ["copy", url, here],
        ["copy", here, f"{url}#x"],
        ["copy", here, here, url],
        ["--ledger", url],
        ["--ledger", "postgres://user:pass-word@a@b/db"],
        [url],
        ["rekey", url],
        [f"--json={url}"],
        [f"--lodger={url}"],
    ]
    with ThreadPoolExecutor() as pool:  # most of them wait for a server
        ends = list(pool.map(lambda args: run(*args), commands))
    for done in ends:
        assert done.returncode in (1, 2)
        assert "pass-word" not in done.stdout + done.stderr
    assert document("--ledger", here)["moved"] is None
