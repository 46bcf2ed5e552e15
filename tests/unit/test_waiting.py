"""Users that another run is creating: many wait with one look at a time, and none of them is forgotten."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pulumi_openfunnel.errors import InProgress, LedgerUnusable, Stopped
from pulumi_openfunnel.ledger.documents import Identity, Run
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.turns import Asked, Busy
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning import waiting
from pulumi_openfunnel.provisioning.waiting import Room

from ..servers import USER_KEY
from .provisions import Console
from .rules import ALICE, SEAL, Machine, asked, body

SOON = 30.0  # seconds within which whatever is to come comes


@pytest.fixture(autouse=True)
def _looks_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK", 0.02)
    monkeypatch.setattr(waiting, "_FIRST_LOOK", 0.01)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def other(machine: Machine) -> Ledger:
    """Another run."""
    return machine.process()


@pytest.fixture
def room(machine: Machine) -> Room:
    return Room(machine.process())


def _identities(count: int) -> list[Identity]:
    return [
        Identity(ALICE.base_url, ALICE.user_id, f"user{number}@orchestrator.com", f"user{number}@customers.com")
        for number in range(count)
    ]


def _busy(machine: Machine, identities: list[Identity]) -> dict[str, Busy]:
    """What this run is told of users that another one is at."""
    ledger, found = machine.process(), {}
    for identity in identities:
        turn = ledger.begin(identity)
        assert isinstance(turn, Busy)
        found[identity.internal_email] = turn
    return found


def _at(other: Ledger, identities: list[Identity]) -> list[Asked]:
    return [asked(other, identity) for identity in identities]


def _patience() -> float:
    return time.monotonic() + SOON


@pytest.mark.parametrize(
    ("job", "said"),
    [("https://ci/jobs/9", "another run (https://ci/jobs/9)"), ("", "another run (process 4711 on runner-7)")],
    ids=["job", "machine"],
)
def test_a_run_is_named_where_the_store_knows_it(
    machine: Machine, other: Ledger, room: Room, console: Console, job: str, said: str
) -> None:
    """Its CI job, else its process and machine; read once a run, however many of its users are waited for."""
    users = _identities(30)
    theirs = _at(other, users)
    other.archive.write(Run(name=f"runs/{theirs[0].run}", host="runner-7", process="4711", job=job), None)
    busy = _busy(machine, users)
    machine.calls.clear()
    with pytest.raises(InProgress, match=r"another run is creating this user\. No request was sent\."):
        room.wait(busy, 0.0, console.operation)
    line = f"{said} is creating this user. Waiting for its answer."
    assert console.progress == [f"user{number}@orchestrator.com: {line}" for number in range(30)]
    assert [call.names for call in machine.calls if call.method == "get"] == [(f"runs/{theirs[0].run}",)]


def test_a_run_without_a_name_is_another_run(machine: Machine, other: Ledger, room: Room, console: Console) -> None:
    """On one machine a lock tells who lives, and nothing is written of it."""
    _at(other, [ALICE])
    with pytest.raises(InProgress):
        room.wait(_busy(machine, [ALICE]), 0.0, console.operation)
    assert console.progress == [f"{ALICE.internal_email}: another run is creating this user. Waiting for its answer."]


def test_each_wait_ends_with_its_own_users(machine: Machine, other: Ledger, room: Room) -> None:
    """Of many waits, each ends when a user of its own is answered, left, or its run is dead; the others wait on."""
    users = _identities(250)  # more than are looked at together
    theirs, busy = _at(other, users), _busy(machine, users)
    of_waits = [{one.internal_email: busy[one.internal_email] for one in users[number::50]} for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        waits = [pool.submit(room.wait, mine, _patience(), Operation()) for mine in of_waits]
        other.answered(theirs[7], body(), SEAL)
        other.leave(theirs[108], lost=True)
        assert waits[7].result(SOON) == ["user7@orchestrator.com"]
        assert waits[8].result(SOON) == ["user108@orchestrator.com"]
        assert not any(wait.done() for number, wait in enumerate(waits) if number not in (7, 8))
        machine.living.discard(theirs[0].run)
        for number, wait in enumerate(waits):
            if number not in (7, 8):
                assert wait.result(SOON) == list(of_waits[number])
    assert not room._waits._waiting
    assert not room._over


def test_two_waits_for_one_user_both_end(machine: Machine, other: Ledger, room: Room) -> None:
    """Also where only one of them was looked at when the answer came."""
    users = _identities(150)
    theirs, busy = _at(other, users), _busy(machine, users)
    with ThreadPoolExecutor(3) as pool:
        waits = [
            pool.submit(room.wait, mine, _patience(), Operation())
            for mine in (_busy(machine, users[:1]), busy, _busy(machine, users[:1]))
        ]
        other.answered(theirs[0], body(), SEAL)
        assert [wait.result(SOON) for wait in waits] == [["user0@orchestrator.com"]] * 3
    assert not room._waits._waiting


def test_a_wait_that_ended_is_looked_at_no_more(machine: Machine, other: Ledger, room: Room) -> None:
    """Whether its time was over or the operation stopped: nothing of it stays behind."""
    _at(other, [ALICE])
    busy = _busy(machine, [ALICE])
    with pytest.raises(InProgress):
        room.wait(busy, 0.0, Operation())
    with pytest.raises(Stopped):
        room.wait(busy, _patience(), Operation(stopping=lambda: True))
    assert not room._waits._waiting
    assert not room._over


def test_looks_are_shared(machine: Machine, other: Ledger, room: Room) -> None:
    """Fifty waits cost as many calls as one."""
    users = _identities(50)
    theirs, busy = _at(other, users), _busy(machine, users)
    at_work, most, lock = 0, 0, threading.Lock()

    def counts(call: Call) -> None:
        nonlocal at_work, most
        if call.method == "get_many":
            with lock:
                at_work += -1 if call.done else 1
                most = max(most, at_work)

    machine.fails = counts
    with ThreadPoolExecutor(50) as pool:
        waits = [pool.submit(room.wait, {who: one}, _patience(), Operation()) for who, one in busy.items()]
        for their in theirs:
            other.answered(their, body(USER_KEY, their.identity), SEAL)
        assert [len(wait.result(SOON)) for wait in waits] == [1] * 50
    assert most == 1


@pytest.mark.parametrize("transient", [True, False])
def test_a_ledger_that_cannot_be_read(machine: Machine, other: Ledger, room: Room, transient: bool) -> None:
    """What may pass is waited out; what will not ends every wait, in one line."""
    [mine] = _at(other, [ALICE])
    busy, failed = _busy(machine, [ALICE]), threading.Event()

    def fails(call: Call) -> None:
        if call.method == "get_many" and not failed.is_set():
            failed.set()
            raise LedgerUnusable("memory", "is down", "Wait.", transient=transient)

    machine.fails = fails
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(room.wait, busy, _patience(), Operation())
        if not transient:
            with pytest.raises(LedgerUnusable):
                wait.result(SOON)
            return
        assert failed.wait(SOON)
        other.answered(mine, body(), SEAL)
        assert wait.result(SOON) == [ALICE.internal_email]
