"""What every store promises. A test class inherits it, and says where the store is."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from pulumi_openfunnel.ledger.store import Conflict, Store

from .helpers import PATIENCE, Url, Where, together
from .processes import line, process, tell

THREADS = 48
CLOCKS = 3.0  # seconds between this machine's clock and a store's that is on it; some tell whole seconds
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
