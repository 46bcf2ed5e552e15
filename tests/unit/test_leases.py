"""Leases: who lives by the store's clock, and who gives up by his own. No test waits: the clocks are the tests'."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.leases import (
    DAY,
    FIRST,
    FRESH,
    LAPSE,
    LEASE,
    RENEWAL,
    REPEAT,
    Leases,
    clocks,
    thread,
)
from pulumi_openfunnel.ledger.memory import Call, MemoryStore
from pulumi_openfunnel.ledger.store import Conflict

from .rules import down


@dataclass
class Place:
    """A store with a clock, and the machines of those that use it.

    Attributes:
        time: the store's clock.
        machine: the monotonic, the boot-time and the wall clock of the machine that is asked for a process.
        writes: how often a document was written.
    """

    time: float = 5000.0
    machine: list[float] = field(default_factory=lambda: [10.0, 10.0, 1e9])
    fails: Callable[[Call], object] = lambda _call: None
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=lambda: self.time, hook=self._hook)
        self.ticks: list[tuple[Callable[[], float], float]] = []

    def process(self) -> Leases:
        """A process, on a machine of its own that has the same clocks."""
        return Leases(self.store, now=lambda: tuple(self.machine), timer=self._timer)

    def passes(self, seconds: float) -> None:
        """Time goes by, for everybody."""
        self.time += seconds
        self.machine = [clock + seconds for clock in self.machine]

    def counted(self) -> list[str]:
        """The store's calls since this was asked last."""
        found = [call.method for call in self.calls]
        self.calls.clear()
        return found

    def runs(self) -> list[str]:
        return [name.removeprefix("runs/") for name in self.store.documents]

    def _timer(self, work: Callable[[], float], first: float) -> Callable[[], None]:
        self.ticks.append((work, first))
        return self.ticks.clear

    def _hook(self, call: Call) -> None:
        self.fails(call)
        if call.done:
            self.calls.append(call)


@pytest.fixture
def place() -> Place:
    return Place()


class TestARun:
    """This process's own."""

    def test_it_is_announced(self, place: Place) -> None:
        """Its document is there once it is named, with the machine and the process; and gone at its end."""
        leases = place.process()
        run = leases.current()
        assert place.runs() == [run]
        assert b'"process":"' in place.store.documents[f"runs/{run}"].body
        assert leases.current() == run
        assert [first for _, first in place.ticks] == [FIRST]
        leases.end()
        assert (place.runs(), place.ticks) == ([], [])
        assert not leases.confirm(run)
        assert not leases.lives(run)

    def test_it_is_renewed(self, place: Place) -> None:
        """As long as it is, it lives for everybody, however long that takes."""
        leases, other = place.process(), place.process()
        run = leases.current()
        for _ in range(30):
            place.passes(RENEWAL)
            assert leases.tick() == RENEWAL
            assert other.lives(run)
            assert leases.confirm(run)
        assert leases.current() == run

    def test_it_is_over_after_a_lapse(self, place: Place) -> None:
        """Without a renewal for 60 % of the lease it is over for ever, whatever is renewed then; another one begins."""
        leases = place.process()
        run = leases.current()
        place.passes(LAPSE + 1)
        leases.tick()
        assert not leases.confirm(run)
        assert not leases.lives(run)
        again = leases.current()
        assert again != run
        assert leases.confirm(again)
        assert place.runs() == [again]

    @pytest.mark.parametrize("clock", range(3), ids=["monotonic", "boot time", "wall"])
    def test_the_clock_that_went_on_furthest_counts(self, place: Place, clock: int) -> None:
        """A machine that slept, or whose wall clock is set forward, gives up; and for ever, if it is set back."""
        leases = place.process()
        run = leases.current()
        place.machine[clock] += LAPSE + 1
        assert not leases.confirm(run)
        place.machine[clock] -= LAPSE + 1
        assert not leases.confirm(run)

    def test_a_clock_that_is_set_back_makes_nobody_younger(self, place: Place) -> None:
        """The others count on."""
        leases = place.process()
        run = leases.current()
        place.passes(LAPSE + 1)
        place.machine[2] -= 86400
        assert not leases.confirm(run)

    @pytest.mark.parametrize(
        ("took", "later", "lives"),
        [(LAPSE - RENEWAL + 1, 0, False), (10, LAPSE - 11, True), (10, LAPSE - 9, False)],
        ids=["too long", "in time", "counted from before"],
    )
    def test_a_renewal_counts_from_before_it_was_sent(
        self, place: Place, took: float, later: float, lives: bool
    ) -> None:
        """Its reply must come before the last one's lapse, and the time that it took is part of its age."""
        leases = place.process()
        run = leases.current()
        leases.tick()
        place.passes(RENEWAL)
        place.fails = lambda call: place.passes(took) if call.done and call.method == "put_over" else None
        leases.tick()
        place.fails = down(["put_over"])
        place.passes(later)
        with contextlib.suppress(LedgerUnusable):
            leases.confirm(run)
        assert leases.lives(run) == lives

    def test_a_store_that_fails_for_a_moment_ends_nothing(self, place: Place) -> None:
        """A renewal that fails is tried again soon."""
        leases = place.process()
        run = leases.current()
        place.passes(RENEWAL)
        place.fails = down(["put_over"])
        assert leases.tick() == REPEAT
        place.passes(REPEAT)
        place.fails = lambda _call: None
        assert leases.tick() == RENEWAL
        place.passes(LAPSE)
        assert leases.confirm(run)

    def test_a_lost_reply_ends_nothing(self, place: Place) -> None:
        """A renewal that looks like a conflict with itself is one's own."""
        leases = place.process()
        run = leases.current()

        def loses(call: Call) -> None:
            if call.done and call.method == "put_over":
                raise Conflict

        place.fails = loses
        place.passes(RENEWAL)
        assert leases.tick() == RENEWAL
        assert leases.confirm(run)

    def test_a_document_that_somebody_removed_ends_it(self, place: Place) -> None:
        """Others take the run for dead, so it takes itself for dead."""
        leases = place.process()
        run = leases.current()
        place.store.documents.clear()
        place.passes(FRESH + 1)
        assert not leases.confirm(run)


class TestARequest:
    """What is done immediately before one."""

    def test_a_fresh_renewal_is_enough(self, place: Place) -> None:
        """Within five seconds nothing is asked of the store; after them one renewal is awaited."""
        leases = place.process()
        run = leases.current()
        place.counted()
        place.passes(FRESH)
        assert leases.confirm(run)
        assert place.counted() == []
        place.passes(1)
        assert leases.confirm(run)
        assert leases.confirm(run)
        assert place.counted() == ["put_over"]

    def test_without_a_store_there_is_none(self, place: Place) -> None:
        """A renewal that cannot be made is an error, and no request goes out."""
        leases = place.process()
        run = leases.current()
        place.passes(FRESH + 1)
        place.fails = down(["put_over"])
        with pytest.raises(LedgerUnusable):
            leases.confirm(run)

    def test_many_threads_share_a_renewal(self, place: Place) -> None:
        """Of many requests at once one renews."""
        leases, start = place.process(), threading.Barrier(16)
        run = leases.current()
        place.passes(FRESH + 1)
        place.counted()
        confirmed: list[bool] = []

        def confirm() -> None:
            start.wait()
            confirmed.append(leases.confirm(run))

        threads = [threading.Thread(target=confirm) for _ in range(16)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert confirmed == [True] * 16
        assert place.counted() == ["put_over"]


class TestAnother:
    """Another process's run."""

    def test_it_is_dead_after_its_lease(self, place: Place) -> None:
        """By the store's clock, read from documents by name; for ever then, and without another look."""
        leases, other = place.process(), place.process()
        run = leases.current()
        other.current()
        place.passes(LEASE)
        assert other.lives(run)
        place.passes(LEASE / 2)
        assert not other.lives(run)
        place.counted()
        assert not other.lives(run)
        assert place.counted() == []

    def test_one_that_ended_is_dead_at_once(self, place: Place) -> None:
        """Its document is gone: one call tells."""
        leases, other = place.process(), place.process()
        run = leases.current()
        leases.end()
        other.current()
        place.counted()
        assert not other.lives(run)
        assert place.counted() == ["get"]

    def test_a_look_is_good_for_a_moment(self, place: Place) -> None:
        """Many users that wait for one run look at it once every few seconds."""
        leases, other = place.process(), place.process()
        run = leases.current()
        assert other.lives(run)
        place.counted()
        assert all(other.lives(run) for _ in range(100))
        assert place.counted() == []

    def test_the_machines_clocks_do_not_matter(self, place: Place) -> None:
        """Only the store's clock tells whether another one lives."""
        leases, other = place.process(), place.process()
        run = leases.current()
        place.machine = [0.0, 0.0, 0.0]
        assert other.lives(run)

    def test_others_are_told(self, place: Place) -> None:
        """Those that live, and not this process's own."""
        one, two, dead = place.process(), place.process(), place.process()
        dead.current()
        place.passes(LEASE + 1)
        run = one.current()
        assert two.others() == [run]
        two.current()
        assert two.others() == [run]
        assert one.others() == [two.current()]

    def test_what_a_dead_one_left_is_swept(self, place: Place) -> None:
        """After a day, and not before; the living are left."""
        dead, leases = place.process(), place.process()
        left = dead.current()
        place.passes(DAY - 10)
        run = leases.current()
        leases.tick()
        assert sorted(place.runs()) == sorted([left, run])
        place.passes(20)
        later = place.process()
        newest = later.current()
        later.tick()
        assert sorted(place.runs()) == sorted([run, newest])


class _Careless(MemoryStore):
    """A store that ignores conditions."""

    def __init__(self, *, new: bool, over: bool) -> None:
        super().__init__()
        self._ignores = {"put_new": new, "put_over": over}

    def put_new(self, name: str, body: bytes) -> str:
        if self._ignores["put_new"]:
            self.documents.pop(name, None)
        return super().put_new(name, body)

    def put_over(self, name: str, body: bytes, version: str) -> str:
        if self._ignores["put_over"] and name in self.documents:
            version = self.documents[name].version
        return super().put_over(name, body, version)


class TestAStoreThatIgnoresConditions:
    """Two runs would ask for one user."""

    @pytest.mark.parametrize(("new", "over"), [(True, False), (False, True), (True, True)])
    def test_it_is_found_out(self, new: bool, over: bool) -> None:
        """Before the first request, with one line; nothing is left there."""
        store = _Careless(new=new, over=over)
        with pytest.raises(LedgerUnusable, match="does not keep to conditions") as caught:
            Leases(store, timer=lambda _work, _first: lambda: None).current()
        assert str(caught.value).isprintable()
        assert store.documents == {}

    def test_it_is_looked_at_once(self, place: Place) -> None:
        """A process tries it at its first run only."""
        leases = place.process()
        leases.current()
        first = place.counted()
        place.passes(LAPSE + 1)
        leases.current()
        assert len(place.counted()) < len(first)


def test_the_clocks_of_this_machine_can_be_read() -> None:
    """The monotonic one, the wall's, and where there is one, that which goes on in sleep."""
    before, after = clocks(), clocks()
    assert len(before) == len(after) >= 2
    assert all(later >= earlier for earlier, later in zip(before, after, strict=True))


def test_the_timer_calls_until_it_is_stopped() -> None:
    """After as many seconds as each call says."""
    called, enough = [0], threading.Event()

    def work() -> float:
        called[0] += 1
        if called[0] == 3:
            enough.set()
        return 0.001

    stop = thread(work, 0.001)
    assert enough.wait(10)
    stop()
