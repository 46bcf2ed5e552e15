"""The ledger's rules of a request: what is written, when, by how many calls, and who is in whose way."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pulumi_openfunnel.ledger.changes import CUT_OFF
from pulumi_openfunnel.ledger.documents import State
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.turns import Asked, Busy, Holds, Nothing, Taken

from ..servers import USER_KEY
from .rules import ALICE, ALSO_ALICE, BOB, OTHER_KEY, SEAL, Machine, answered, asked, body, held, issued, key_of


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(name="ledger")
def _ledger(machine: Machine) -> Ledger:
    return machine.process()


class TestThreeWrites:
    """What a user costs."""

    def test_a_new_user_takes_three_writes_and_no_read(self, machine: Machine, ledger: Ledger) -> None:
        """Asked, answer, claim: each to a name of its own, and nothing is read."""
        issued(ledger)
        assert machine.counted() == ["put_new users", "put_new answers", "put_new keys"]

    def test_a_repetition_writes_nothing(self, machine: Machine, ledger: Ledger) -> None:
        """A request that is repeated within its attempt leaves the store alone."""
        mine = asked(ledger)
        machine.counted()
        assert ledger.sending(mine)
        assert ledger.sending(mine)
        assert machine.counted() == []

    def test_a_key_that_comes_back_is_claimed_anew(self, machine: Machine, ledger: Ledger) -> None:
        """A later run reads the user and its answer, and writes its claim again before the key is used."""
        issued(ledger)
        later = machine.process()
        machine.counted()
        (kept,) = held(later)
        assert key_of(kept) == USER_KEY
        assert later.claim(kept, USER_KEY) is None
        assert machine.counted() == ["get users", "get_many answers", "get keys", "put_over keys"]

    def test_a_preview_reads_many_at_once(self, machine: Machine, ledger: Ledger) -> None:
        """A look is one call for all users, writes nothing, and announces no run."""
        issued(ledger)
        machine.counted()
        before = dict(machine.store.documents)
        found = machine.process().look([ALICE, ALSO_ALICE, BOB])
        assert list(found) == [ALSO_ALICE]
        assert found[ALSO_ALICE].user.email == ALICE.email
        assert machine.counted() == ["get_many users"]
        assert machine.store.documents == before

    def test_answers_are_sealed_for_their_identity(self, machine: Machine, ledger: Ledger) -> None:
        """No document shows a key, and an answer opens for its own identity alone."""
        issued(ledger)
        assert not any(USER_KEY.encode() in found.body for found in machine.store.documents.values())
        (kept,) = held(machine.process())
        assert SEAL.open(kept.answer.sealed, ALSO_ALICE.bound) is None

    def test_a_claim_holds_no_address(self, machine: Machine, ledger: Ledger) -> None:
        """A key's document names documents and attempts."""
        issued(ledger)
        (claim,) = [found.body for name, found in machine.store.documents.items() if name.startswith("keys/")]
        assert b"@" not in claim


class TestWhoseTurnItIs:
    """What begin answers."""

    @pytest.mark.parametrize("known", [answered, issued])
    def test_an_answer_that_is_kept_comes_first(self, machine: Machine, known: Callable[[Ledger], Asked]) -> None:
        """A later run is given the answer, whether the run that got it is dead or lives."""
        known(machine.process())
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]
        machine.living.clear()
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_a_living_run_is_waited_for(self, machine: Machine, ledger: Ledger) -> None:
        """Nobody else asks while a run lives that is at the user; once it is dead, its user is asked for."""
        mine = asked(ledger)
        other = machine.process()
        turn = other.begin(ALICE)
        assert isinstance(turn, Busy)
        assert turn.run == mine.run
        machine.living.discard(mine.run)
        again = asked(other)
        assert again.lost_before
        assert [one.state for one in machine.user().attempts] == [State.LOST, State.OPEN]

    def test_one_thread_asks(self, machine: Machine, ledger: Ledger) -> None:
        """Of many threads of a process that begin at once one asks, and the others wait for it."""
        start = threading.Barrier(16)
        turns: list[object] = []

        def begin() -> None:
            start.wait()
            turns.append(ledger.begin(ALICE))

        threads = [threading.Thread(target=begin) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(isinstance(turn, Asked) for turn in turns) == 1
        assert sum(isinstance(turn, Busy) for turn in turns) == 15
        assert len(machine.user().attempts) == 1

    def test_another_end_user_is_refused(self, machine: Machine, ledger: Ledger) -> None:
        """An internal email that may be another end user's is not asked for, whatever became of that one's request."""
        mine = asked(ledger)
        leaving: list[Callable[[], None]] = [
            lambda: None,
            lambda: ledger.leave(mine, lost=True),
            lambda: ledger.doubt(mine, "no"),
        ]
        for leave in leaving:
            leave()
            turn = machine.process().begin(ALSO_ALICE)
            assert isinstance(turn, Taken)
            assert turn.user.email == ALICE.email

    @pytest.mark.parametrize("problem", ["OpenFunnel refused it", None], ids=["refused", "nothing sent"])
    def test_what_created_nothing_binds_nobody_and_leaves_no_trail(
        self, machine: Machine, ledger: Ledger, problem: str | None
    ) -> None:
        """After a refusal, or when no request went out, anybody may ask, and nothing is said of lost answers."""
        mine = asked(ledger)
        ledger.leave(mine, lost=False, problem=problem)
        ledger.let_go(mine)
        assert machine.statuses() == ["refused"]
        again = asked(ledger, ALSO_ALICE)
        assert not again.lost_before
        assert ledger.look_again(again) == Nothing(lost_before=False, unused=False)

    def test_a_user_id_is_recorded_and_not_compared(self, machine: Machine, ledger: Ledger) -> None:
        """The same customer under another login of the orchestrator gets its key."""
        issued(ledger)
        other = type(ALICE)(ALICE.base_url, "girl@orchestrator.com", ALICE.internal_email, ALICE.email)
        assert [key_of(kept) for kept in held(machine.process(), other)] == [USER_KEY]

    @pytest.mark.parametrize(("lost", "most"), [(True, 9), (False, 1)], ids=["lost", "refused"])
    def test_failures_do_not_pile_up(self, machine: Machine, ledger: Ledger, lost: bool, most: int) -> None:
        """After a hundred of them the document lists the last few, or the last one."""
        for _ in range(100):
            mine = asked(ledger)
            ledger.leave(mine, lost=lost)
            ledger.let_go(mine)
        assert len(machine.user().attempts) == most


class TestLostAnswers:
    """What is remembered of requests whose answer did not come."""

    def test_an_exists_looks_again(self, machine: Machine, ledger: Ledger) -> None:
        """Another run's answer that came meanwhile is found; a run that lives is waited for."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        other = machine.process()
        theirs = asked(other)
        assert isinstance(ledger.look_again(mine), Busy)
        other.answered(theirs, body(), SEAL)
        found = ledger.look_again(mine)
        assert isinstance(found, Holds)
        assert key_of(found.kept[0]) == USER_KEY

    def test_an_earlier_run_probably_created_it(self, ledger: Ledger) -> None:
        """A request whose answer was lost is told by a later run, and an answer that could not be used as well."""
        mine = asked(ledger)
        ledger.leave(mine, lost=True)
        ledger.let_go(mine)
        assert ledger.look_again(asked(ledger)) == Nothing(lost_before=True, unused=False)

    def test_half_an_answer_takes_its_place(self, machine: Machine, ledger: Ledger) -> None:
        """What came of it is kept and not used; the request that repeats it has an attempt of its own."""
        mine = asked(ledger)
        ledger.answered(mine, b'{"api_key": "of_al', SEAL, whole=False)
        again = ledger.anew(mine)
        assert again is not None
        ledger.answered(again, body(), SEAL)
        first, second = machine.user().attempts
        assert (first.state, first.problem, second.state) == (State.UNUSED, CUT_OFF, State.OPEN)
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_half_an_answer_of_a_dead_run_is_not_used(self, machine: Machine, ledger: Ledger) -> None:
        """The next run asks, and knows that an answer is kept that could not be used."""
        mine = asked(ledger)
        ledger.answered(mine, b'{"api_key": "of_al', SEAL, whole=False)
        machine.living.clear()
        later = machine.process()
        assert later.look_again(asked(later)) == Nothing(lost_before=True, unused=True)

    def test_a_doubted_answer_stays(self, machine: Machine, ledger: Ledger) -> None:
        """It is shown with its problem, and never used: OpenFunnel is asked again."""
        mine = answered(ledger)
        ledger.doubt(mine, "with no JSON object")
        (row,) = machine.rows()
        assert (row.status.value, row.attempt.problem, row.may_hold_live_key) == (
            "answered",
            "with no JSON object",
            True,
        )
        asked(machine.process())

    def test_all_answers_are_read_newest_first(self, machine: Machine, ledger: Ledger) -> None:
        """A late answer of a run that was taken for dead is there beside the newer one."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        other = machine.process()
        theirs = asked(other)
        other.answered(theirs, body(OTHER_KEY), SEAL)
        ledger.answered(mine, body(), SEAL)
        assert [key_of(kept) for kept in held(machine.process())] == [OTHER_KEY, USER_KEY]
