"""The ledger's file: how it is made, and what becomes of one that cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Status
from pulumi_openfunnel.ledger.sqlite import database
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser
from pulumi_openfunnel.provisioning.ownership import check_end_user

from ..servers import ORCHESTRATOR, ScriptedServer, hides_keys
from .processes import line, process, tell
from .provisions import ALICE, Callers, created, scripted

ROWS = 200

DAMAGED = "is damaged"
NO_LEDGER = "is no ledger, but another kind of file"
ANOTHER_PROGRAM = "is another program's database"
REPLACED = "was removed or replaced while it was in use"

LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.read()
"""
MAKER = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(Path(sys.argv[1]))
print(ledger.begin(Identity("u", "o", sys.argv[2], "e"))[1], flush=True)
"""
LIMITED = """
import resource, sys
from pathlib import Path
from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity
path, limit, user = Path(sys.argv[1]), int(sys.argv[2]), 0
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    ledger = Ledger(path)
    while user < 5000:
        ledger.begin(Identity("u", "o", f"limited{user}", "e"))
        user += 1
except LedgerUnusable as error:
    print(user)
    print(error)
"""


def _identity(user: int = 0) -> Identity:
    return Identity("https://api.openfunnel.dev", ORCHESTRATOR, f"user{user}@orchestrator.com", f"user{user}@a.com")


def _unusable(path: Path, action: Callable[[], object]) -> str:
    """What is wrong with a ledger; the error is one line, names the file, says what to do and holds no key."""
    with pytest.raises(LedgerUnusable) as caught:
        action()
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"The ledger {path} {caught.value.problem}. ")
    assert message.endswith(".")
    assert caught.value.place == path
    assert hides_keys(caught.value)
    return caught.value.problem


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@cache
def _full() -> bytes:
    """A ledger's file of 200 rows."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        with closing(Ledger(path)) as ledger:

            def fill() -> None:
                for user in range(ROWS):
                    sealed = {"sealed": os.urandom(400), "key_id": "0123456789abcdef"}
                    ledger._insert(_identity(user), Status.ASKED, **sealed)

            ledger._commits.make(fill)  # one change: a commit a row takes its time
        return path.read_bytes()


def _link(at: Path) -> Path:
    (at / "real.db").write_bytes(_full())
    (at / "ledger.db").symlink_to(at / "real.db")
    return at / "ledger.db"


def _dangling_link(at: Path) -> Path:
    (at / "ledger.db").symlink_to(at / "missing.db")
    return at / "ledger.db"


def _directory(at: Path) -> Path:
    (at / "ledger.db").mkdir()
    return at / "ledger.db"


def _pipe(at: Path) -> Path:
    os.mkfifo(at / "ledger.db")
    return at / "ledger.db"


def _behind_a_file(at: Path) -> Path:
    (at / "file").touch()
    return at / "file" / "ledger.db"


def _nowhere(_at: Path) -> Path:
    return Path("/proc/x/ledger.db")  # root cannot write there either


def _holding(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        (at / "ledger.db").write_bytes(content())
        return at / "ledger.db"

    return make


def _corrupted() -> bytes:
    full = _full()
    middle = len(full) // 2 // 4096 * 4096
    return full[:middle] + b"\xa5" * 8192 + full[middle + 8192 :]


def _with(*statements: str, first: bytes = b"") -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = at / "ledger.db"
        path.write_bytes(first)
        with closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()
        return path

    return make


UNUSABLE = [
    pytest.param(_link, "is a symbolic link", id="link"),
    pytest.param(_dangling_link, "is a symbolic link", id="dangling link"),
    pytest.param(_directory, "is no file", id="directory"),
    pytest.param(_pipe, "is no file", id="pipe"),
    pytest.param(_behind_a_file, "cannot be used: Not a directory", id="parent is a file"),
    pytest.param(_nowhere, "cannot be used: No such file or directory", id="unwritable"),
    pytest.param(_holding(lambda: b"My keys:\n" * 500), NO_LEDGER, id="text"),
    pytest.param(_holding(lambda: b"My key"), NO_LEDGER, id="a word"),
    pytest.param(_holding(lambda: bytes(8192)), NO_LEDGER, id="zeros"),
    pytest.param(_holding(lambda: _full()[: len(_full()) // 2]), DAMAGED, id="half"),
    pytest.param(_holding(lambda: _full()[:-4096]), DAMAGED, id="last page missing"),
    pytest.param(_holding(_corrupted), DAMAGED, id="corrupted"),
    pytest.param(_with("CREATE TABLE users (id)"), ANOTHER_PROGRAM, id="another program's"),
    pytest.param(_with("PRAGMA application_id = 7", "PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another id"),
    pytest.param(_with("PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another version"),
]


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


@pytest.mark.parametrize("make", [_directory, _behind_a_file, _dangling_link, _holding(_corrupted)])
def test_a_preview_tells_as_well(
    tmp_path: Path, server: ScriptedServer, callers: Callers, make: Callable[[Path], Path]
) -> None:
    """What would stand in a create's way is told before, and nothing is made."""
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    _unusable(path, lambda: check_end_user(callers(server.base_url, path), ALICE))
    assert sorted(tmp_path.iterdir()) == before


def test_a_preview_makes_no_ledger(tmp_path: Path, server: ScriptedServer, callers: Callers) -> None:
    """A preview where there is no ledger yet is silent, and makes neither file nor directory."""
    check_end_user(callers(server.base_url, tmp_path / "a" / "ledger.db"), ALICE)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_ledger_asks_for_an_upgrade(tmp_path: Path, server: ScriptedServer, callers: Callers) -> None:
    """A file of a later version is not touched: upgrading is the way out."""
    path = _with(f"PRAGMA user_version = {database.SCHEMA_VERSION + 1}", first=_full())(tmp_path)
    with pytest.raises(LedgerUnusable, match=r"newer version of pulumi-openfunnel.* pip install --upgrade"):
        provision(callers(server.base_url, path), ALICE)
    assert server.requests == []


def test_a_locked_ledger_is_waited_for_and_then_told(
    tmp_path: Path, server: ScriptedServer, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that holds the whole file is told of, and when it lets go, all is well."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.2)
    path = tmp_path / "ledger.db"
    path.write_bytes(_full())
    with process(LOCKER, str(path)) as locker:
        assert line(locker) == "ready"
        problem = _unusable(path, lambda: provision(callers(server.base_url, path), ALICE))
    assert problem == "is locked by another process"
    assert server.requests == []
    with closing(Ledger(path)) as ledger:
        assert len(ledger.rows()) == ROWS
        with process(LOCKER, str(path)) as locker:
            assert line(locker) == "ready"
            assert _unusable(path, lambda: ledger.begin(_identity(ROWS))) == "is locked by another process"
        assert ledger.begin(_identity(ROWS))[1]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A write that does not fit is told and undone; the rows before it stay, and with space it goes on."""
    path = tmp_path / "ledger.db"
    path.write_bytes(_full())
    with closing(Ledger(path)) as ledger:
        row, _ = ledger.begin(_identity(ROWS))
        ledger._db.execute("PRAGMA max_page_count = 1")  # taken as: no page more
        problem = _unusable(path, lambda: ledger.answered(row, bytes(65536), "0123456789abcdef"))
        assert problem == "cannot be written: the disk is full"
        assert [known.sealed for known in ledger.history(row.identity)] == [None]
        ledger._db.execute("PRAGMA max_page_count = 100000")
        ledger.answered(row, bytes(65536), "0123456789abcdef")
        assert len(ledger.rows()) == ROWS + 1


@pytest.mark.parametrize(("room", "some"), [(0, False), (3 * 4096, True)], ids=["new", "growing"])
def test_a_limit_on_file_sizes_loses_nothing(tmp_path: Path, room: int, some: bool) -> None:
    """Where the file may not grow, one line tells; what was written before is there, and without the limit it goes on."""
    path = tmp_path / "ledger.db"
    if some:
        Ledger(path).close()
    limit = (path.stat().st_size if some else 0) + room
    with process(LIMITED, str(path), str(limit)) as child:
        written, message = line(child), line(child)
    assert message.startswith(f"The ledger {path} cannot be ")
    with closing(Ledger(path)) as ledger:
        assert len(ledger.rows()) == int(written)
        assert (int(written) > 0) == some
        assert ledger.begin(_identity())[1]


@pytest.mark.parametrize("replace", [False, True], ids=["removed", "replaced"])
def test_a_ledger_that_went_away_is_not_written_to(
    tmp_path: Path, server: ScriptedServer, callers: Callers, replace: bool
) -> None:
    """Once its file is removed or replaced, nothing is requested and nothing is made in its place."""
    path = tmp_path / "ledger.db"
    caller = callers(server.base_url, path)
    scripted(server, created())
    provision(caller, ALICE)
    path.rename(tmp_path / "kept.db")
    if replace:
        path.write_bytes(_full())
    before = len(server.requests)
    bob = EndUser("bob@bob.com", "bob@orchestrator.com")
    problem = _unusable(path, lambda: provision(caller, bob))
    assert problem == REPLACED
    assert len(server.requests) == before
    assert path.exists() == replace


@pytest.mark.parametrize(
    "name", ["ledger.db", "a/b/c/ledger.db", "my state/the ledger.db", "a?mode=ro#/%41.db", "\u00e4/b'.db"]
)
def test_it_is_made_for_its_user_alone(tmp_path: Path, name: str) -> None:
    """Its directories are made 0700, its files 0600, whatever the umask and the characters of the path."""
    path, before = tmp_path / name, os.umask(0)
    try:
        with closing(Ledger(path)) as ledger:
            assert ledger.begin(_identity())[1]
            modes = {file.name: _mode(file) for file in path.parent.iterdir() if file.is_file()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {_mode(made) for made in path.parents if tmp_path in (made, *made.parents)} == {0o700}


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o777])
def test_a_file_that_others_can_read_is_tightened(tmp_path: Path, mode: int) -> None:
    """A ledger that others can read or write becomes 0600, its directory stays as it is, and its rows are there."""
    path = tmp_path / "ledger.db"
    path.write_bytes(_full())
    path.chmod(mode)
    tmp_path.chmod(0o755)
    with closing(Ledger(path)) as ledger:
        assert len(ledger.rows()) == ROWS
    assert (_mode(path), _mode(tmp_path)) == (0o600, 0o755)


def test_an_empty_file_is_a_new_ledger(tmp_path: Path) -> None:
    """A file of no bytes, as a process leaves it that was killed while it made the ledger, is used."""
    (tmp_path / "ledger.db").touch()
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        assert ledger.begin(_identity())[1]


def test_a_write_counts_when_it_is_on_the_disk(tmp_path: Path) -> None:
    """The journal is truncated, synchronous is EXTRA and what is deleted is overwritten, also when reopened."""
    for _ in range(2):
        with closing(Ledger(tmp_path / "ledger.db")) as ledger:
            told = [database._pragma(ledger._db, name) for name in ("journal_mode", "synchronous", "secure_delete")]
            assert told == ["truncate", 3, 1]
            ids = [database._pragma(ledger._db, name) for name in ("application_id", "user_version")]
            assert ids == [database.APPLICATION_ID, database.SCHEMA_VERSION]


def test_processes_that_make_it_at_once_all_work(tmp_path: Path) -> None:
    """Several processes that start with no ledger share the one that comes to be."""
    path = tmp_path / "a" / "ledger.db"
    with ExitStack() as stack:
        children = [stack.enter_context(process(MAKER, str(path), f"user{n}")) for n in range(3)]
        assert {line(child) for child in children} == {"ready"}
        for child in children:
            tell(child)
        assert [line(child) for child in children] == ["True"] * 3
    with closing(Ledger(path)) as ledger:
        assert {row.identity.internal_email for row in ledger.rows()} == {f"user{n}" for n in range(3)}
