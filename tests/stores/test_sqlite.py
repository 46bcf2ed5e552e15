"""The ledger's file: how it is made, and what becomes of one that cannot be used."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache, partial
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.sqlite import file
from pulumi_openfunnel.ledger.sqlite.store import SCHEMA, SqliteStore

from .helpers import ENDS, check_words, together
from .processes import line, process, tell

COUNT = 200
IMPATIENCE = 0.2  # seconds

DAMAGED = "is damaged"
NO_LEDGER = "is no ledger, but another kind of file"
ANOTHER_PROGRAM = "is another program's database"
LOCKED = "is locked by another process"
FULL = "cannot be written: the disk is full"
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
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(Path(sys.argv[1]))
store.put_new(sys.argv[2], b"A")
print("written", flush=True)
"""
LIMITED = """
import resource, sys
from pathlib import Path
from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
path, limit, count = Path(sys.argv[1]), int(sys.argv[2]), 0
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store = SqliteStore(path)
    while count < 5000:
        store.put_new(f"limited/{count}", bytes(400))
        count += 1
except LedgerUnusable as error:
    print(count)
    print(error)
"""
KILLED = """
import os, sys
from pathlib import Path
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.put_new("users/a", b"A")
print("written", flush=True)
sys.stdin.read()
"""


@cache
def _full() -> bytes:
    """A ledger's file of some documents."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        with closing(SqliteStore(path)) as store:
            together([partial(store.put_new, f"users/{number}", os.urandom(400)) for number in range(COUNT)])
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


NEWER = _with(f"PRAGMA user_version = {SCHEMA.version + 1}", first=_full)
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
    pytest.param(_with("CREATE TABLE documents (id)"), ANOTHER_PROGRAM, id="another program's"),
    pytest.param(_with("PRAGMA application_id = 7", "PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another id"),
    pytest.param(_with("PRAGMA user_version = 1"), ANOTHER_PROGRAM, id="another version"),
    pytest.param(NEWER, "was written by a newer version of pulumi-openfunnel", id="newer"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, patience=IMPATIENCE)) as opened:
        yield opened


def _refusal(path: Path, action: Callable[[], object], *, transient: bool = False) -> str:
    """What is wrong with a ledger; the error is one line that names the file and says what to do."""
    with pytest.raises(LedgerUnusable) as caught:
        action()
    check_words(caught.value, str(path))
    assert caught.value.transient is transient
    return caught.value.problem


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("make", "problem"), UNUSABLE)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, make: Callable[[Path], Path], problem: str) -> None:
    """One line names the file, each time; what is there stays as it is."""
    path = make(tmp_path)
    before = path.read_bytes() if path.is_file() else None
    assert [_refusal(path, lambda: SqliteStore(path)) for _ in range(2)] == [problem] * 2
    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.parametrize("make", [_directory, _behind_a_file, _dangling_link, _holding(_corrupted)])
def test_a_preview_tells_as_well(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """What would stand in a write's way is told before, and nothing is made."""
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    _refusal(path, lambda: SqliteStore(path, create=False))
    assert sorted(tmp_path.iterdir()) == before


def test_a_preview_makes_no_file(tmp_path: Path) -> None:
    """A preview where there is no ledger yet is silent, makes neither file nor directory, and cannot write."""
    path = tmp_path / "a" / "ledger.db"
    with closing(SqliteStore(path, create=False)) as store:
        assert store.get("users/a") is None
        assert _refusal(path, lambda: store.put_new("users/a", b"A")) == "is not there"
    assert list(tmp_path.iterdir()) == []


def test_a_locked_file_is_waited_for_and_then_told(path: Path) -> None:
    """Another process that holds the whole file is told of, as what may pass; when it lets go, all is well."""
    path.write_bytes(_full())
    with process(LOCKER, str(path)) as locker:
        assert line(locker) == "ready"
        assert _refusal(path, lambda: SqliteStore(path, patience=IMPATIENCE), transient=True) == LOCKED
    with closing(SqliteStore(path, patience=IMPATIENCE)) as store:
        assert len(store.names("users/")) == COUNT
        with process(LOCKER, str(path)) as locker:
            assert line(locker) == "ready"
            assert _refusal(path, lambda: store.put_new("users/a", b"A"), transient=True) == LOCKED
            assert _refusal(path, lambda: store.get("users/a"), transient=True) == LOCKED
        store.put_new("users/a", b"A")


def test_a_full_disk_loses_nothing(store: SqliteStore, path: Path) -> None:
    """A write that does not fit is told and undone; what was there stays, and with space it goes on."""
    store.put_new("users/a", b"A")
    assert store._db is not None
    store._db.execute("PRAGMA max_page_count = 1")  # taken as: no page more
    assert _refusal(path, lambda: store.put_new("answers/a", bytes(65536))) == FULL
    assert store.names("") == ["users/a"]
    store._db.execute("PRAGMA max_page_count = 100000")
    store.put_new("answers/a", bytes(65536))
    assert sorted(store.names("")) == ["answers/a", "users/a"]


@pytest.mark.parametrize(("room", "some"), [(0, False), (3 * 4096, True)], ids=["new", "growing"])
def test_a_limit_on_file_sizes_loses_nothing(path: Path, room: int, some: bool) -> None:
    """Where the file may not grow, one line tells; what was written before is there, and without the limit it goes on."""
    if some:
        SqliteStore(path).close()
    limit = (path.stat().st_size if some else 0) + room
    with process(LIMITED, str(path), str(limit)) as child:
        written, message = line(child), line(child)
    assert message.startswith(f"The ledger {path} cannot be ")
    with closing(SqliteStore(path)) as store:
        assert len(store.names("limited/")) == int(written)
        assert (int(written) > 0) == some
        store.put_new("users/a", b"A")


@pytest.mark.parametrize("replace", [False, True], ids=["removed", "replaced"])
def test_a_file_that_went_away_is_not_written_to(store: SqliteStore, path: Path, replace: bool) -> None:
    """Once the file is removed or replaced, nothing is made in its place."""
    store.put_new("users/a", b"A")
    path.rename(path.with_name("kept.db"))
    if replace:
        path.write_bytes(_full())
    assert _refusal(path, lambda: store.put_new("users/b", b"B")) == REPLACED
    assert path.exists() == replace


@pytest.mark.parametrize(
    "name", ["ledger.db", "a/b/c/ledger.db", "my state/the ledger.db", "a?mode=ro#/%41.db", "\u00e4/b'.db"]
)
def test_it_is_made_for_its_user_alone(tmp_path: Path, name: str) -> None:
    """Its directories are made 0700, its files 0600, whatever the umask and the characters of the path."""
    path, before = tmp_path / name, os.umask(0)
    try:
        with closing(SqliteStore(path)) as store:
            store.put_new("users/a", b"A")
            modes = {made.name: _mode(made) for made in path.parent.iterdir() if made.is_file()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {_mode(made) for made in path.parents if tmp_path in (made, *made.parents)} == {0o700}


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o777])
def test_a_file_that_others_can_read_is_tightened(path: Path, mode: int) -> None:
    """A ledger that others can read or write becomes 0600, its directory stays as it is, its documents are there."""
    path.write_bytes(_full())
    path.chmod(mode)
    path.parent.chmod(0o755)
    with closing(SqliteStore(path)) as store:
        assert len(store.names("")) == COUNT
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o755)


def test_an_empty_file_is_a_new_ledger(path: Path) -> None:
    """A file of no bytes, as a process leaves it that was killed while it made the ledger, is used."""
    path.touch()
    with closing(SqliteStore(path)) as store:
        store.put_new("users/a", b"A")


def test_a_write_counts_when_it_is_on_the_disk(path: Path) -> None:
    """The journal is truncated, synchronous is EXTRA and what is deleted is overwritten, also when reopened."""
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            assert store._db is not None
            told = [file.pragma(store._db, name) for name in ("journal_mode", "synchronous", "secure_delete")]
            assert told == ["truncate", 3, 1]
            ids = [file.pragma(store._db, name) for name in ("application_id", "user_version")]
            assert ids == [SCHEMA.application_id, SCHEMA.version]


def test_what_was_written_survives_a_kill(path: Path) -> None:
    """A process that is killed right after a write has written it."""
    with process(KILLED, str(path)) as child:
        assert line(child) == "written"
        child.kill()
        child.wait(ENDS)
    with closing(SqliteStore(path)) as store:
        assert store.names("") == ["users/a"]


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_synced(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    """A file system that cannot sync directories is no trouble; one that fails is told."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if told:
        assert _refusal(path, lambda: SqliteStore(path)) == "cannot be used: Input/output error"
    else:
        SqliteStore(path).close()


def test_processes_that_make_it_at_once_all_work(tmp_path: Path) -> None:
    """Several processes that start with no ledger share the one that comes to be."""
    path = tmp_path / "a" / "ledger.db"
    with ExitStack() as stack:
        children = [stack.enter_context(process(MAKER, str(path), f"users/{number}")) for number in range(3)]
        assert {line(child) for child in children} == {"ready"}
        for child in children:
            tell(child)
        assert [line(child) for child in children] == ["written"] * 3
    with closing(SqliteStore(path)) as store:
        assert set(store.names("")) == {f"users/{number}" for number in range(3)}
