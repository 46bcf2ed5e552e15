"""What the command does to a ledger of documents: list, rekey, reassign, forget, copy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import MOVED, State
from pulumi_openfunnel.ledger.listing import listed
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.moving import copy
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.turns import Taken
from pulumi_openfunnel.ledger.upkeep import Outcome, Rekeyed, forget, rekey

from ..servers import USER_KEY
from .rules import (
    ALICE,
    ALSO_ALICE,
    BOB,
    NEW_SEAL,
    OTHER_KEY,
    SEAL,
    Machine,
    answered,
    asked,
    body,
    held,
    issued,
    key_of,
    reassigned,
)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(name="ledger")
def _ledger(machine: Machine) -> Ledger:
    return machine.process()


class TestTheList:
    """What the command shows."""

    def test_it_tells_what_is_known(self, machine: Machine, ledger: Ledger) -> None:
        """A row for each attempt, with the key's fingerprint once it was claimed; nothing is written."""
        issued(ledger)
        answered(ledger, BOB, OTHER_KEY)
        before = dict(machine.store.documents)
        alice, bob = machine.rows()
        assert (alice.identity, alice.status.value, alice.fingerprint) == (ALICE, "issued", "c7785caa04caacfa")
        assert (bob.identity, bob.status.value, bob.fingerprint) == (BOB, "answered", None)
        assert machine.store.documents == before
        assert USER_KEY not in repr(machine.rows())

    @pytest.mark.parametrize("kind", ["users", "answers", "keys"])
    def test_a_damaged_document_hides_no_other(self, machine: Machine, ledger: Ledger, kind: str) -> None:
        """It is one line, and the others are shown."""
        issued(ledger)
        issued(ledger, BOB, OTHER_KEY)
        name = min(name for name in machine.store.documents if name.startswith(kind))
        found = machine.store.documents[name]
        machine.store.documents[name] = type(found)(found.body[:-9], found.version, found.written)
        listing = listed(machine.process())
        assert len(listing.problems) == 1
        assert name in listing.problems[0]
        assert listing.rows

    def test_a_users_last_change_is_told(self, machine: Machine, ledger: Ledger) -> None:
        """Also when it is an answer, which changes no user's document."""
        mine = asked(ledger)
        machine.time += 50
        ledger.answered(mine, body(), SEAL)
        assert [row.changed for row in machine.rows()] == [1050.0]


class TestSealingAnew:
    """``ledger rekey``."""

    def test_every_answer_that_opens_is_sealed_anew(self, machine: Machine, ledger: Ledger) -> None:
        """Old ones are gone, claims stand, keys come back under the new key; again, there is nothing to do."""
        issued(ledger)
        answered(ledger, BOB, OTHER_KEY)
        assert rekey(machine.process(), NEW_SEAL, [NEW_SEAL, SEAL]) == Rekeyed(2, 0, 0)
        assert {row.answer.key_id for row in machine.rows() if row.answer} == {NEW_SEAL.key_id}
        assert sum(name.startswith("answers/") for name in machine.store.documents) == 2
        assert key_of(held(machine.process())[0], NEW_SEAL) == USER_KEY
        assert isinstance(machine.process().adopt(BOB, USER_KEY, body(), None), Taken)
        assert rekey(machine.process(), NEW_SEAL, [NEW_SEAL]) == Rekeyed(0, 0, 0)

    def test_what_does_not_open_stays(self, machine: Machine, ledger: Ledger) -> None:
        """With a wrong old key nothing changes, and it is told how many."""
        issued(ledger)
        before = dict(machine.store.documents)
        assert rekey(machine.process(), NEW_SEAL, [NEW_SEAL]) == Rekeyed(0, 1, 0)
        assert machine.store.documents == before

    def test_a_user_that_is_asked_for_is_left(self, machine: Machine, ledger: Ledger) -> None:
        """A living run's user keeps its answers as they are."""
        mine = issued(ledger)
        ledger.bury(mine, USER_KEY, "refused")
        asked(ledger)
        assert rekey(machine.process(), NEW_SEAL, [SEAL]) == Rekeyed(0, 0, 1)

    @pytest.mark.parametrize("step", range(1, 9))
    def test_one_that_broke_off_lost_nothing(self, machine: Machine, ledger: Ledger, step: int) -> None:
        """Wherever it died, the key opens with the old key or the new one."""
        issued(ledger)
        count = 0

        def dies(call: Call) -> None:
            nonlocal count
            count += call.done
            if count == step and call.done:
                raise KeyboardInterrupt

        machine.fails = dies
        with contextlib.suppress(KeyboardInterrupt):
            rekey(machine.process(), NEW_SEAL, [NEW_SEAL, SEAL])
        assert count >= min(step, 8)
        machine.fails = lambda _call: None
        (kept, *_) = held(machine.process())
        assert kept.opened([SEAL, NEW_SEAL]) == body()


class TestReassigning:
    """``ledger reassign OLD NEW``."""

    def test_the_user_and_its_key_go_over(self, machine: Machine, ledger: Ledger) -> None:
        """The next create for the new address finds the key, and the old address is another end user's."""
        issued(ledger)
        issued(ledger, BOB, OTHER_KEY)
        done = reassigned(machine.process(), ALICE.email, ALSO_ALICE.email, SEAL, [SEAL])
        assert done == {ALICE.internal_email: Outcome.DONE}
        later = machine.process()
        (kept,) = held(later, ALSO_ALICE)
        assert key_of(kept) == USER_KEY
        assert later.claim(kept, USER_KEY) is None
        assert isinstance(later.begin(ALICE), Taken)
        assert sum(name.startswith("answers/") for name in machine.store.documents) == 2

    def test_it_is_refused_without_the_key(self, machine: Machine, ledger: Ledger) -> None:
        """Where an answer does not open, nothing changes."""
        issued(ledger)
        before = dict(machine.store.documents)
        done = reassigned(machine.process(), ALICE.email, ALSO_ALICE.email, NEW_SEAL, [NEW_SEAL])
        assert done == {ALICE.internal_email: Outcome.SEALED}
        assert machine.store.documents == before

    def test_it_is_refused_while_a_run_asks(self, machine: Machine, ledger: Ledger) -> None:
        """An attempt that is open in a living run keeps its address."""
        asked(ledger)
        done = reassigned(machine.process(), ALICE.email, ALSO_ALICE.email, SEAL, [SEAL])
        assert done == {ALICE.internal_email: Outcome.BUSY}
        assert machine.user().email == ALICE.email

    def test_a_late_answer_for_the_old_address_is_not_the_new_ones(self, machine: Machine, ledger: Ledger) -> None:
        """A run that lapsed and gets its answer after all is refused; the answer has its place, and is not used."""
        mine = asked(ledger)
        machine.living.discard(mine.run)
        reassigned(machine.process(), ALICE.email, ALSO_ALICE.email, SEAL, [SEAL])
        ledger.answered(mine, body(), SEAL)
        assert isinstance(ledger.claim(mine, USER_KEY), Taken)
        asked(machine.process(), ALSO_ALICE)
        assert [row.answer is not None for row in machine.rows()] == [True, False]


class TestForgetting:
    """``ledger forget``."""

    def test_a_live_key_is_kept(self, machine: Machine, ledger: Ledger) -> None:
        """What may hold the only copy of a live key goes only when that is said."""
        mine = issued(ledger)
        issued(ledger, BOB, OTHER_KEY)
        ledger.bury(mine, USER_KEY, "OpenFunnel refused it")
        rows = machine.rows()
        assert [outcome for _, outcome in forget(ledger, rows)] == [Outcome.DONE, Outcome.HOLDS_KEY]
        assert machine.rows() == rows[1:]
        assert [outcome for _, outcome in forget(ledger, rows[1:], lose_keys=True)] == [Outcome.DONE]
        assert machine.rows() == ()

    def test_an_answer_that_came_meanwhile_is_kept(self, machine: Machine, ledger: Ledger) -> None:
        """What was listed as asked for, and has its answer by now, may hold a live key."""
        mine, rows = asked(ledger), machine.rows()
        ledger.answered(mine, body(), SEAL)
        machine.living.clear()
        assert [outcome for _, outcome in forget(machine.process(), rows)] == [Outcome.HOLDS_KEY]

    def test_nothing_of_it_is_left(self, machine: Machine, ledger: Ledger) -> None:
        """No address and no answer; its document is emptied, not deleted, and may be anybody's."""
        issued(ledger)
        forget(ledger, machine.rows(), lose_keys=True)
        assert not any(b"@" in found.body for name, found in machine.store.documents.items() if name[:4] != "runs")
        assert [name for name in machine.store.documents if name.startswith("answers/")] == []
        assert ALICE.name in machine.store.documents
        asked(machine.process(), ALSO_ALICE)

    def test_what_is_asked_for_is_kept(self, machine: Machine, ledger: Ledger) -> None:
        """The run that asks would write into nothing."""
        mine = asked(ledger)
        assert [outcome for _, outcome in forget(machine.process(), machine.rows(), lose_keys=True)] == [Outcome.BUSY]
        machine.living.discard(mine.run)
        assert [outcome for _, outcome in forget(machine.process(), machine.rows())] == [Outcome.DONE]

    def test_twice_or_nothing_is_no_error(self, machine: Machine, ledger: Ledger) -> None:
        """Attempts that are gone already, and none at all, can be forgotten."""
        issued(ledger)
        rows = machine.rows()
        for _ in range(2):
            assert [outcome for _, outcome in forget(ledger, rows, lose_keys=True)] == [Outcome.DONE]
        assert forget(ledger, []) == []
        assert machine.rows() == ()


class TestCopying:
    """``ledger copy FROM TO``."""

    def _there(self, machine: Machine) -> dict[str, bytes]:
        documents = machine.store.documents
        return {name: found.body for name, found in documents.items() if not name.startswith(("moved", "runs/"))}

    def test_everything_goes_over(self, machine: Machine) -> None:
        """The target answers, the source says where it went, can be listed, and can be copied into again."""
        issued(machine.process())
        answered(machine.process(), BOB, OTHER_KEY)
        machine.living.clear()
        before, target = self._there(machine), Machine()
        assert copy(machine.process(), target.process()) == 5
        assert self._there(target) == before
        assert key_of(held(target.process())[0]) == USER_KEY
        with pytest.raises(LedgerUnusable, match="was moved to memory"):
            machine.process().begin(ALICE)
        assert len(machine.rows()) == 2
        issued(target.process(), ALSO_ALICE.__class__(ALICE.base_url, ALICE.user_id, "c@o.com", "c@c.com"), "of_c")
        forget(target.process(), [row for row in target.rows() if row.identity == BOB], lose_keys=True)
        target.living.clear()
        copy(target.process(), machine.process())
        assert self._there(machine) == self._there(target)
        assert key_of(held(machine.process())[0]) == USER_KEY

    @pytest.mark.parametrize("where", ["source", "target"])
    def test_it_waits_for_runs(self, machine: Machine, where: str) -> None:
        """While a run lives in either place nothing is copied, and the source answers on."""
        issued(machine.process())
        target = Machine()
        machine.living.clear()
        busy = machine if where == "source" else target
        busy.living.add("a run")
        with pytest.raises(LedgerUnusable, match="is in use by another run"):
            copy(machine.process(), target.process())
        busy.living.clear()
        copy(machine.process(), target.process())

    def test_a_target_of_its_own_is_left_alone(self, machine: Machine) -> None:
        """A ledger that holds anything and was not moved is not overwritten."""
        target = Machine()
        issued(machine.process())
        issued(target.process(), BOB, OTHER_KEY)
        before = self._there(target)
        machine.living.clear()
        target.living.clear()
        with pytest.raises(LedgerUnusable, match="is not empty"):
            copy(machine.process(), target.process())
        assert self._there(target) == before

    @pytest.mark.parametrize("fails", ["source", "target"])
    @pytest.mark.parametrize("step", range(1, 16))
    def test_one_that_broke_off_is_begun_again(self, machine: Machine, fails: str, step: int) -> None:
        """Wherever it died, at most one of the two answers, and the same copy again completes it."""
        issued(machine.process())
        machine.living.clear()
        target, count, before = Machine(), 0, self._there(machine)

        def dies(call: Call) -> None:
            nonlocal count
            count += call.done
            if count == step and call.done:
                raise KeyboardInterrupt

        broken = machine if fails == "source" else target
        broken.fails = dies
        with contextlib.suppress(KeyboardInterrupt):
            copy(machine.process(), target.process())
        broken.fails = lambda _call: None
        complete = MOVED not in target.store.documents and self._there(target) == before
        assert MOVED in machine.store.documents or not self._there(target)
        if not complete:
            copy(machine.process(), target.process())
        assert self._there(target) == before
        assert MOVED not in target.store.documents
        assert MOVED in machine.store.documents


def test_upkeep_of_a_ledger_that_moved_is_refused(machine: Machine, ledger: Ledger) -> None:
    """Nothing is changed in a ledger that lies elsewhere."""
    issued(ledger)
    machine.living.clear()
    copy(machine.process(), Machine().process())
    actions: list[Callable[[Ledger], object]] = [
        lambda moved: rekey(moved, NEW_SEAL, [SEAL]),
        lambda moved: reassigned(moved, ALICE.email, ALSO_ALICE.email, SEAL, [SEAL]),
        lambda moved: forget(moved, machine.rows(), lose_keys=True),
        lambda moved: moved.adopt(BOB, OTHER_KEY, body(OTHER_KEY, BOB), SEAL),
        lambda moved: moved.adopt(BOB, OTHER_KEY, body(OTHER_KEY, BOB), None),
        lambda moved: moved.release(Leaving(ALICE.internal_email, ALICE.email, USER_KEY, body(), revoked=False)),
    ]
    for action in actions:
        with pytest.raises(LedgerUnusable, match="was moved"):
            action(machine.process())
    assert [row.attempt.state for row in machine.rows()] == [State.OPEN]
