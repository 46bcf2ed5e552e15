"""What every store promises. A test class inherits it, and says where the store is."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.patience import patiently
from pulumi_openfunnel.ledger.store import Conflict, Document, Store
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import parse

from .processes import line, process, tell
from .proxies import Answer, Cut, Delay, Exchange, Fault, Faults, HttpProxy, LoseReply, TcpProxy, every, nothing

THREADS = 48
CLOCKS = 3.0  # seconds between this machine's clock and a store's that is on it; some tell whole seconds
ENDS = 60.0  # seconds within which whatever is to end ends, on a busy machine
PATIENCE = 40.0  # seconds of trying, where a test wants it to go well
IMPATIENCE = 2.0  # where it wants it to fail
BODIES = [b"", b"A", bytes(range(256)), b"\n\x00\xff" * 21845, os.urandom(65536)]

_RACER = f"""
import sys
from pulumi_openfunnel.ledger.store import Conflict
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import parse
store = store_at(parse(sys.argv[1]), patience={PATIENCE})
name, rounds, won = sys.argv[2], int(sys.argv[3]), 0
print("ready", flush=True)
sys.stdin.readline()
while True:
    document = store.get(name)
    count = int(document.body)
    if count >= rounds:
        break
    try:
        store.put_over(name, str(count + 1).encode(), document.version)
        won += 1
    except Conflict:
        pass
print(won, flush=True)
store.close()
"""

T = TypeVar("T")


class Where(Protocol):
    """A place for documents that is empty at first."""

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """A store there, of its own."""


class Url:
    """A place that a URL names.

    Args:
        url: as the setting takes it.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """See :class:`Where`."""
        place = parse(self.url)
        assert place is not None
        return store_at(place, create=create, patience=patience)


def together(actions: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What actions give, or raise, that begin at the same moment."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | Exception:
        start.wait(ENDS)
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def believed(write: Callable[[], str], look: Callable[[], Document | None], body: bytes) -> str:
    """A write whose conflict is believed only after a read: a reply that was lost looks like one."""
    try:
        return write()
    except Conflict:
        found = look()
        if found is None or found.body != body:
            raise
        return found.version


class StoreContract:
    """The contract for one process."""

    @pytest.fixture
    def where(self) -> Where:
        raise NotImplementedError

    @pytest.fixture
    def store(self, where: Where) -> Iterator[Store]:
        with contextlib.closing(where.open()) as opened:
            yield opened

    def test_nothing_is_there_at_first(self, store: Store) -> None:
        """An empty place has no documents and no names, and what is not there can be removed."""
        assert store.get("users/a") is None
        assert store.get_many([]) == {}
        assert store.get_many(["users/a", "keys/b"]) == {}
        assert store.names("") == store.names("users/") == []
        store.remove("users/a")

    @pytest.mark.parametrize("body", BODIES, ids=["empty", "letter", "every byte", "line breaks", "64 KiB"])
    def test_a_document_is_read_as_it_was_written(self, store: Store, body: bytes) -> None:
        """Any bytes up to 64 KiB come back, with the version that the write gave."""
        version = store.put_new("answers/a", body)
        found = store.get("answers/a")
        assert found is not None
        assert (found.body, found.version) == (body, version)
        assert store.get_many(["answers/a"]) == {"answers/a": found}

    def test_a_new_one_goes_where_there_is_none(self, store: Store) -> None:
        """Writing a new document over one conflicts, and changes nothing."""
        version = store.put_new("users/a", b"first")
        with pytest.raises(Conflict):
            store.put_new("users/a", b"second")
        found = store.get("users/a")
        assert found is not None
        assert (found.body, found.version) == (b"first", version)

    def test_one_is_written_over_the_version_that_was_read(self, store: Store) -> None:
        """Writing over an older version, or where there is none, conflicts and changes nothing."""
        first = store.put_new("users/a", b"first")
        second = store.put_over("users/a", b"second", first)
        for body, name, version in ((b"third", "users/a", first), (b"third", "users/b", second)):
            with pytest.raises(Conflict):
                store.put_over(name, body, version)
        found = store.get("users/a")
        assert found is not None
        assert (found.body, found.version) == (b"second", second)
        assert store.get("users/b") is None

    def test_versions_never_repeat(self, store: Store) -> None:
        """The same body again, over another one, over itself, or after a removal, is another version."""
        versions = [store.put_new("users/a", b"A")]
        for body in (b"B", b"A", b"A"):
            versions.append(store.put_over("users/a", body, versions[-1]))
        store.remove("users/a")
        versions.append(store.put_new("users/a", b"A"))
        assert len(set(versions)) == len(versions)
        for version in versions[:-1]:
            with pytest.raises(Conflict):
                store.put_over("users/a", b"C", version)

    def test_a_removed_one_is_gone(self, store: Store) -> None:
        """After a removal there is no document, writing over it conflicts, and a new one can be written."""
        version = store.put_new("users/a", b"A")
        store.remove("users/a")
        assert store.get("users/a") is None
        assert store.names("") == []
        with pytest.raises(Conflict):
            store.put_over("users/a", b"B", version)
        store.put_new("users/a", b"B")

    def test_many_are_read_at_once(self, store: Store) -> None:
        """Of many names those that are there are read; the same name twice does no harm."""
        versions = {f"users/{number}": store.put_new(f"users/{number}", str(number).encode()) for number in range(40)}
        found = store.get_many([*versions, "users/none", "users/1"])
        assert {name: (document.body, document.version) for name, document in found.items()} == {
            name: (name.removeprefix("users/").encode(), version) for name, version in versions.items()
        }

    def test_names_are_listed_by_their_beginning(self, store: Store) -> None:
        """A prefix may end anywhere in a name; an empty one lists all."""
        names = {"users/aa1", "users/aa2", "users/ab", "usersx", "runs/1", "answers/users/aa"}
        for name in names:
            store.put_new(name, b"")
        for prefix in ("", "users/", "users/aa", "users/aa1", "users", "u", "runs/1", "runs/2", "users/aa1/"):
            assert set(store.names(prefix)) == {name for name in names if name.startswith(prefix)}

    def test_a_thousand_names_are_listed(self, store: Store) -> None:
        """A listing of several pages is whole, and all of its documents can be read at once."""
        names = [f"keys/{uuid.uuid4().hex}" for _ in range(1000)]
        with ThreadPoolExecutor(32) as threads:
            list(threads.map(lambda name: store.put_new(name, name.encode()), names))
        listed = store.names("keys/")
        assert len(listed) == len(names)
        assert set(listed) == set(names)
        assert {name: document.body.decode() for name, document in store.get_many(names).items()} == {
            name: name for name in names
        }

    def test_when_it_was_written_is_the_stores_clock(self, store: Store) -> None:
        """The time is that of the write, and does not go back from one write to the next."""
        before = time.time()
        version = store.put_new("runs/a", b"")
        times = []
        for _ in range(5):
            found = store.get("runs/a")
            assert found is not None
            times.append(found.written)
            version = store.put_over("runs/a", b"", version)
        assert times == sorted(times)
        assert before - CLOCKS < times[0] <= times[-1] < time.time() + CLOCKS
        again = store.get_many(["runs/a"])["runs/a"].written
        assert again >= times[-1]

    def test_one_of_many_threads_makes_a_new_one(self, store: Store) -> None:
        """Of threads that write the same new document exactly one wins, and what is there is its."""
        bodies = [f"thread {number}".encode() for number in range(THREADS)]
        results = together([partial(store.put_new, "users/a", body) for body in bodies])
        (won,) = [number for number, result in enumerate(results) if isinstance(result, str)]
        assert all(isinstance(result, Conflict) for number, result in enumerate(results) if number != won)
        found = store.get("users/a")
        assert found is not None
        assert (found.body, found.version) == (bodies[won], results[won])

    def test_one_of_many_threads_writes_over(self, store: Store) -> None:
        """Of threads that write over the same version exactly one wins."""
        version = store.put_new("users/a", b"")
        bodies = [f"thread {number}".encode() for number in range(THREADS)]
        results = together([partial(store.put_over, "users/a", body, version=version) for body in bodies])
        (won,) = [number for number, result in enumerate(results) if isinstance(result, str)]
        assert all(isinstance(result, Conflict) for number, result in enumerate(results) if number != won)
        found = store.get("users/a")
        assert found is not None
        assert found.body == bodies[won]

    def test_many_threads_do_not_disturb_each_other(self, store: Store) -> None:
        """Threads that each write, overwrite, read, list and remove documents of their own see their own alone."""

        def user(number: int) -> None:
            name, body = f"users/{number}", str(number).encode()
            version = store.put_over(name, body, store.put_new(name, b""))
            found = store.get(name)
            assert found is not None
            assert (found.body, found.version) == (body, version)
            assert store.names(name) != []
            store.remove(name)
            assert store.get(name) is None

        assert together([partial(user, number) for number in range(100, 100 + THREADS)]) == [None] * THREADS
        assert store.names("") == []

    def test_it_can_be_closed_twice(self, where: Where) -> None:
        """Closing is no trouble, also again, and what was written is there afterwards."""
        store = where.open()
        store.put_new("users/a", b"A")
        store.close()
        store.close()


class SharedStoreContract(StoreContract):
    """The contract for a place that several processes share."""

    @pytest.fixture
    def where(self) -> Url:
        raise NotImplementedError

    def test_what_one_writes_another_reads(self, where: Url) -> None:
        """Another store at the same place sees what was written, as soon as the write returned."""
        with contextlib.closing(where.open()) as one, contextlib.closing(where.open()) as other:
            version = one.put_new("users/a", b"A")
            found = other.get("users/a")
            assert found is not None
            assert (found.body, found.version) == (b"A", version)
            other.put_over("users/a", b"B", found.version)
            with pytest.raises(Conflict):
                one.put_over("users/a", b"C", version)

    def test_a_preview_makes_nothing(self, where: Url) -> None:
        """A store that is not to be made reads as one without documents, and is there for nobody afterwards."""
        with contextlib.closing(where.open(create=False)) as store:
            assert store.get("users/a") is None
            assert store.names("") == []
        with contextlib.closing(where.open(create=False)) as store:
            assert store.get_many(["users/a"]) == {}

    def test_of_two_processes_one_wins_each_round(self, where: Url) -> None:
        """Two processes that count in one document together never lose a count."""
        rounds = 60
        with contextlib.closing(where.open()) as store, contextlib.ExitStack() as stack:
            store.put_new("users/a", b"0")
            racers = [stack.enter_context(process(_RACER, where.url, "users/a", str(rounds))) for _ in range(2)]
            assert [line(racer) for racer in racers] == ["ready"] * 2
            for racer in racers:
                tell(racer)
            assert sum(int(line(racer)) for racer in racers) == rounds
            found = store.get("users/a")
            assert found is not None
            assert found.body == str(rounds).encode()


class Proxied(Protocol):
    """A place behind a proxy."""

    url: str
    proxy: HttpProxy | TcpProxy

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """A store there."""

    def stop(self) -> None:
        """End the server behind."""

    def start(self) -> None:
        """Start it again."""


class NetworkStoreContract(SharedStoreContract):
    """The contract for a place behind a network, with faults."""

    throttled: Fault = Answer(503, b"<Error><Code>SlowDown</Code></Error>")

    @pytest.fixture
    def behind(self) -> Proxied:
        raise NotImplementedError

    def test_lost_replies_lose_nothing(self, behind: Proxied) -> None:
        """When every tenth reply of a write is lost, each document is there once, with what was written last."""
        with contextlib.closing(behind.open()) as store:
            behind.proxy.faults = every(10, LoseReply())

            def user(number: int) -> None:
                name = f"users/{number}"
                first = believed(lambda: store.put_new(name, b"first"), lambda: store.get(name), b"first")
                believed(lambda: store.put_over(name, b"second", first), lambda: store.get(name), b"second")

            assert together([partial(user, number) for number in range(32)]) == [None] * 32
            behind.proxy.faults = nothing
            assert len([exchange for exchange in behind.proxy.exchanges if exchange.write]) > 64
            found = store.get_many(store.names("users/"))
            assert len(found) == 32
            assert {document.body for document in found.values()} == {b"second"}

    @pytest.mark.parametrize("fault", [Cut(), Delay(0.2), "throttled"], ids=["cut", "delayed", "throttled"])
    def test_what_passes_is_tried_again(self, behind: Proxied, fault: Fault | str) -> None:
        """Calls that are cut, delayed or throttled now and then all come to their end."""
        with contextlib.closing(behind.open()) as store:
            behind.proxy.faults = every(3, self.throttled if isinstance(fault, str) else fault, writes=False)

            def user(number: int) -> bytes | None:
                name, body = f"users/{number}", str(number).encode()
                believed(lambda: store.put_new(name, body), lambda: store.get(name), body)
                found = store.get(name)
                return found.body if found is not None else None

            assert together([partial(user, number) for number in range(16)]) == [
                str(number).encode() for number in range(16)
            ]
            assert len(store.names("users/")) == 16

    def test_throttling_ends_within_the_bound(self, behind: Proxied) -> None:
        """A store that refuses for longer than the bound is told in one line, which says that it may pass."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            behind.proxy.faults = lambda _: self.throttled
            started = time.monotonic()
            _unusable(behind, lambda: store.put_new("users/a", b"A"), transient=True)
            _unusable(behind, lambda: store.get("users/a"), transient=True)
            assert time.monotonic() - started < ENDS
            behind.proxy.faults = nothing
            store.put_new("users/b", b"B")

    def test_nobody_there_is_told(self, behind: Proxied) -> None:
        """Where nobody listens, each call ends with one line; it does not matter whether the store was open before."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            store.put_new("users/a", b"A")
            behind.stop()
            calls: list[Callable[[], object]] = [
                lambda: store.get("users/a"),
                lambda: store.get_many(["users/a", "users/b"]),
                lambda: store.put_new("users/b", b"B"),
                lambda: store.put_over("users/a", b"B", "1"),
                lambda: store.remove("users/a"),
                lambda: store.names("users/"),
            ]
            for call in calls:
                _unusable(behind, call, transient=True)
            _unusable(behind, lambda: _used(behind), transient=True)
            behind.start()
            found = patiently(ENDS, lambda: store.get("users/a"))
            assert found is not None
            assert found.body == b"A"

    def test_a_server_that_comes_back_is_used_again(self, behind: Proxied) -> None:
        """Threads that write while the server goes away and comes back all come to their end, and nothing is lost."""
        with contextlib.closing(behind.open()) as store:
            store.put_new("users/none", b"")
            halfway = threading.Event()

            def user(number: int) -> str:
                name = f"users/{number}"
                if number >= 16:
                    assert halfway.wait(ENDS)
                return believed(lambda: store.put_new(name, b"A"), lambda: store.get(name), b"A")

            def restart() -> str:
                behind.stop()
                halfway.set()
                behind.start()
                return "restarted"

            users: list[Callable[[], str]] = [partial(user, number) for number in range(32)]
            results = together([*users, restart])
            assert [result for result in results if not isinstance(result, str)] == []
            assert len(store.names("users/")) == 33

    def test_a_silent_server_holds_nobody_for_ever(self, behind: Proxied) -> None:
        """A server that takes a request and never answers is given up, in one line."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            store.put_new("users/a", b"A")
            behind.proxy.faults = _silent(ENDS)
            started = time.monotonic()
            _unusable(behind, lambda: store.get("users/a"), transient=True)
            assert time.monotonic() - started < ENDS / 2


def _used(behind: Proxied) -> None:
    """Some stores connect when they are opened, others when they are asked."""
    with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
        store.get("users/a")


def _silent(seconds: float) -> Faults:
    def fault(_exchange: Exchange) -> Fault:
        return Delay(seconds)

    return fault


def _unusable(behind: Proxied, action: Callable[[], object], *, transient: bool) -> None:
    with pytest.raises(LedgerUnusable) as caught:
        action()
    check_line(caught.value, behind.url)
    assert caught.value.transient is transient


def check_line(error: LedgerUnusable, url: str) -> None:
    """An error is one line of ours, and nothing of a library's is behind it."""
    check_words(error, url)
    assert error.__context__ is None
    assert error.__cause__ is None


def check_words(error: LedgerUnusable, url: str) -> None:
    """An error is one line: the place, what is wrong, what to do, and no secret."""
    message = str(error)
    assert message.isprintable()
    assert message.startswith(f"The ledger {parse(url)} {error.problem}. {error.way_out}")
    assert message.endswith(".")
    assert len(message) < 400
    for hidden in ("Debug source", "Signature=", "x-amz-date", "<", "Traceback", "&endpoint", "pass-word"):
        assert hidden not in message
