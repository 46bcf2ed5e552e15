"""The ledger's rules where something goes wrong: stores that fail, runs that lapse, others that are waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.documents import MOVED, Moved
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.store import Conflict
from pulumi_openfunnel.ledger.turns import Busy, Taken
from pulumi_openfunnel.ledger.waits import Waits

from ..servers import USER_KEY
from .rules import ALICE, ALSO_ALICE, OTHER_KEY, SEAL, Machine, asked, body, down, held, issued, key_of


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(name="ledger")
def _ledger(machine: Machine) -> Ledger:
    return machine.process()


class TestAStoreThatFails:
    """Lost replies, and a store that is down."""

    @pytest.mark.parametrize("kind", ["users", "answers", "keys"])
    def test_a_conflict_with_oneself_is_none(self, machine: Machine, ledger: Ledger, kind: str) -> None:
        """A write whose reply was lost looks like a conflict, and is known again by its nonce."""

        def loses(call: Call) -> None:
            if call.done and call.method == "put_new" and call.names[0].startswith(kind):
                raise Conflict

        machine.fails = loses
        issued(ledger)
        assert machine.statuses() == ["issued"]

    @pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
    def test_the_write_before_a_request_gives_up(self, machine: Machine, ledger: Ledger, done: bool) -> None:
        """It is not repeated, no request goes out, and the process is not at the user any more."""
        machine.fails = down(["put_new"], "users", done=done, times=1)
        with pytest.raises(LedgerUnusable):
            ledger.begin(ALICE)
        asked(ledger)

    def test_the_write_after_an_answer_is_repeated(self, machine: Machine, ledger: Ledger) -> None:
        """Until it is done, or until it is told to stop; the pauses grow."""
        mine, pauses = asked(ledger), list[float]()

        def again(seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) < 9

        machine.fails = down(["put_new"], "answers", times=3)
        ledger.answered(mine, body(), SEAL, again=again)
        assert pauses == [0.5, 1.0, 2.0]
        machine.fails = down(["put_new"], "keys")
        with pytest.raises(LedgerUnusable):
            ledger.claim(mine, USER_KEY, again=again)
        assert len(pauses) == 9

    def test_what_will_not_pass_is_not_repeated(self, machine: Machine, ledger: Ledger) -> None:
        """A permission that is missing is an error at once."""
        mine = asked(ledger)

        def refuses(_call: Call) -> None:
            raise LedgerUnusable("memory", "may not be written", "Give s3:PutObject.")

        machine.fails = refuses
        with pytest.raises(LedgerUnusable):
            ledger.answered(mine, body(), SEAL, again=lambda _seconds: pytest.fail("repeated"))

    def test_an_attempt_that_could_not_be_closed_is_taken_up(self, machine: Machine, ledger: Ledger) -> None:
        """A thread that let go of it is waited for by nobody of its process."""
        mine = asked(ledger)
        machine.fails = down(["put_over"], "users")
        with pytest.raises(LedgerUnusable):
            ledger.leave(mine, lost=True)
        ledger.let_go(mine)
        machine.fails = lambda _call: None
        assert asked(ledger).lost_before


class TestARunThatLapsed:
    """A process that stood still for longer than its lease."""

    def test_it_begins_again(self, machine: Machine, ledger: Ledger) -> None:
        """Before its request it is told, and finds what another run did meanwhile."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        issued(machine.process())
        assert not ledger.sending(mine)
        ledger.leave(mine, lost=False)
        ledger.let_go(mine)
        assert [key_of(kept) for kept in held(ledger)] == [USER_KEY]

    def test_its_late_answer_is_not_handed_over_by_itself(self, machine: Machine, ledger: Ledger) -> None:
        """Another run may have asked meanwhile: its key is newer, is tried first, and is waited for."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        later = machine.process()
        theirs = asked(later)
        ledger.answered(mine, body(), SEAL)
        assert ledger.claim(mine, USER_KEY) is None
        assert ledger.lapsed(mine)
        ledger.let_go(mine)
        assert isinstance(ledger.begin(ALICE), Busy)
        later.answered(theirs, body(OTHER_KEY), SEAL)
        assert later.claim(theirs, OTHER_KEY) is None
        assert not later.lapsed(theirs)
        later.let_go(theirs)
        assert [key_of(kept) for kept in held(ledger)] == [OTHER_KEY, USER_KEY]

    def test_its_late_answer_is_used_where_nobody_asked_again(self, machine: Machine, ledger: Ledger) -> None:
        """Also after another run that asked again died over it."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        theirs = asked(machine.process())
        ledger.answered(mine, body(), SEAL)
        ledger.let_go(mine)
        machine.living.discard(theirs.run)
        assert [key_of(kept) for kept in held(ledger)] == [USER_KEY]

    def test_its_late_answer_has_its_place(self, machine: Machine, ledger: Ledger) -> None:
        """Its attempt is listed again where it was forgotten, so that its key is found."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        machine.store.documents.pop(ALICE.name)
        ledger.answered(mine, body(), SEAL)
        assert ledger.claim(mine, USER_KEY) is None
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_its_late_answer_is_not_anothers(self, machine: Machine, ledger: Ledger) -> None:
        """Where the internal email became another end user's, the key is not handed out, and the answer is shown."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        machine.store.documents.pop(ALICE.name)
        asked(machine.process(), ALSO_ALICE)
        ledger.answered(mine, body(), SEAL)
        taken = ledger.claim(mine, USER_KEY)
        assert isinstance(taken, Taken)
        assert taken.user.email == ALSO_ALICE.email
        assert sorted(machine.statuses()) == ["answered", "asked"]


class TestWaiting:
    """Users that wait without a thread each."""

    def test_a_look_is_one_a_run(self, machine: Machine, ledger: Ledger) -> None:
        """A hundred users of one run take one look at it, and two calls for their documents."""
        other, waits = machine.process(), Waits(machine.process())
        users = [
            type(ALICE)(ALICE.base_url, ALICE.user_id, f"u{n}@orchestrator.com", f"u{n}@x.com") for n in range(100)
        ]
        mine = {user: asked(ledger, user) for user in users}
        for user in users:
            busy = other.begin(user)
            assert isinstance(busy, Busy)
            waits.add(busy)
        machine.counted()
        assert waits.over() == []
        assert machine.counted() == ["get_many answers", "get_many users"]
        ledger.answered(mine[users[7]], body(), SEAL)
        ledger.leave(mine[users[8]], lost=True)
        assert [one.name for one in waits.over()] == [users[7].name, users[8].name]
        machine.living.discard(mine[users[0]].run)
        assert len(waits.over()) == 98
        assert waits.over() == []

    def test_a_thread_of_ones_own_is_waited_for(self, ledger: Ledger) -> None:
        """Once it let go of the user, whatever it could write, the wait is over."""
        mine, waits = asked(ledger), Waits(ledger)
        busy = ledger.begin(ALICE)
        assert isinstance(busy, Busy)
        waits.add(busy)
        assert waits.over() == []
        ledger.let_go(mine)
        assert waits.over() == [busy]


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (Moved(name=MOVED, to="s3://b/l", done=True), "was moved to s3://b/l"),
        (Moved(name=MOVED, to="s3://b/l", done=False), "is being moved to s3://b/l"),
        (Moved(name=MOVED, to="", done=False), "is not complete"),
    ],
    ids=["moved", "moving", "coming"],
)
def test_a_ledger_that_moved_answers_for_nobody(machine: Machine, ledger: Ledger, moved: Moved, said: str) -> None:
    """No request, and a line that says where it is."""
    ledger.archive.write(moved, None)
    actions: list[Callable[[], object]] = [
        lambda: machine.process().begin(ALICE),
        lambda: machine.process().look([ALICE]),
    ]
    for action in actions:
        with pytest.raises(LedgerUnusable, match=said):
            action()
    assert list(machine.store.documents) == [MOVED]


def test_a_ledger_that_moved_is_looked_at_once(machine: Machine, ledger: Ledger) -> None:
    """A thousand users that cannot be asked for cost one look, and leave no run behind."""
    ledger.archive.write(Moved(name=MOVED, to="s3://b/l", done=True), None)
    process, calls = machine.process(), []
    for _ in range(3):
        with pytest.raises(LedgerUnusable, match="was moved"):
            process.begin(ALICE)
        calls.append(len(machine.calls))
    assert calls[0] == calls[1] == calls[2]
    assert machine.living == set()


def test_users_do_not_wait_for_each_other(machine: Machine) -> None:
    """Thirty-two users' calls of each kind are in the store at the same time: nothing of the rules serialises them."""
    together = threading.Barrier(32)
    failed: list[BaseException] = []
    ledger = machine.process()
    ledger.begun()

    def meets(call: Call) -> None:
        if not call.done and call.method == "put_new":
            together.wait(30)

    def work(number: int) -> None:
        try:
            issued(ledger, replace(ALICE, internal_email=f"u{number}@orchestrator.com"), f"of_{number}")
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    machine.fails = meets
    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert machine.statuses() == ["issued"] * 32
