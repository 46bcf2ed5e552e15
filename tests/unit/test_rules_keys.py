"""The ledger's rules of keys: claimed, adopted, moved, dead, released; and what never happens to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import Claim, State, key_name
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.store import Conflict
from pulumi_openfunnel.ledger.turns import Asked, Busy, Taken

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
)

ELSEWHERE = replace(ALICE, base_url="https://other.openfunnel.dev")


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(name="ledger")
def _ledger(machine: Machine) -> Ledger:
    return machine.process()


def dead(ledger: Ledger) -> Asked:
    mine = issued(ledger)
    ledger.bury(mine, USER_KEY, "OpenFunnel refused it")
    return mine


def released(ledger: Ledger) -> Asked:
    mine = issued(ledger)
    assert ledger.release(leaving())
    return mine


def leaving(key: str = USER_KEY, email: str = ALICE.email, *, revoked: bool = False) -> Leaving:
    return Leaving(ALICE.internal_email, email, key, body(key), revoked=revoked)


def adopt(ledger: Ledger, identity: object = ALICE, key: str = USER_KEY, moved_from: str | None = None) -> object:
    if not isinstance(identity, type(ALICE)):
        raise TypeError
    return ledger.adopt(identity, key, body(key, identity), SEAL, moved_from)


class TestAClaim:
    """One key, one end user."""

    def test_a_key_of_another_user_is_refused(self, machine: Machine, ledger: Ledger) -> None:
        """An answer with a key that another user holds is not handed out, and says whose it is."""
        issued(ledger)
        mine = answered(ledger, BOB)
        taken = machine.process().claim(mine, USER_KEY)
        assert isinstance(taken, Taken)
        assert (taken.user.email, taken.user.internal_email) == (ALICE.email, ALICE.internal_email)

    def test_a_dead_key_is_nobodys(self, ledger: Ledger) -> None:
        """A claim whose user's key is dead does not count."""
        dead(ledger)
        assert ledger.claim(answered(ledger, BOB), USER_KEY) is None

    def test_a_forgotten_user_claims_nothing(self, machine: Machine, ledger: Ledger) -> None:
        """A claim whose document does not list the attempt does not count."""
        issued(ledger)
        machine.store.documents.pop(ALICE.name)
        assert ledger.claim(answered(ledger, BOB), USER_KEY) is None
        assert machine.process().claim(answered(ledger), USER_KEY) is not None

    def test_the_same_end_user_at_another_base_url_is_a_second_holder(self, machine: Machine, ledger: Ledger) -> None:
        """Both keep the key; a third end user is refused by either."""
        issued(ledger)
        assert adopt(ledger, ELSEWHERE) is None
        claim = ledger.archive.read(Claim, key_name(USER_KEY))
        assert claim is not None
        assert [name for name, _ in claim.document.holders] == [ALICE.name, ELSEWHERE.name]
        assert isinstance(adopt(ledger, BOB), Taken)
        assert machine.statuses() == ["issued", "issued"]

    def test_one_of_two_takes_a_stale_claim(self, machine: Machine, ledger: Ledger) -> None:
        """The second one's compare-and-swap conflicts, and then the claim counts."""
        dead(ledger)
        mine, theirs = answered(ledger, BOB), answered(ledger, replace(BOB, internal_email="eve@orchestrator.com"))

        def other_is_faster(call: Call) -> None:
            if call.method == "put_over" and call.names[0].startswith("keys") and not call.done:
                machine.fails = lambda _call: None
                assert ledger.claim(theirs, USER_KEY) is None

        machine.fails = other_is_faster
        assert isinstance(ledger.claim(mine, USER_KEY), Taken)

    def test_a_key_that_is_answered_again_lives(self, machine: Machine, ledger: Ledger) -> None:
        """A key that was taken for dead, and that OpenFunnel answers with, is its user's again."""
        dead(ledger)
        assert ledger.claim(answered(ledger), USER_KEY) is None
        assert machine.user().dead == ()
        assert isinstance(ledger.claim(answered(ledger, BOB), USER_KEY), Taken)

    def test_a_dead_key_is_not_looked_at_again(self, machine: Machine, ledger: Ledger) -> None:
        """Its user is asked for, and its answer stays."""
        dead(ledger)
        asked(machine.process())
        (row, _) = machine.rows()
        assert (row.status.value, row.attempt.problem, row.answer is not None) == (
            "dead",
            "OpenFunnel refused it",
            True,
        )


class TestAdoption:
    """A key that the program brings."""

    def test_it_comes_back(self, machine: Machine, ledger: Ledger) -> None:
        """An adopted key is found like a provisioned one."""
        assert adopt(ledger) is None
        assert machine.counted() == [
            "get users",
            "get keys",
            "put_new answers",
            "get users",
            "put_new users",
            "get keys",
            "put_new keys",
        ]
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]
        assert machine.statuses() == ["issued"]

    @pytest.mark.parametrize("known", [answered, issued, released, dead])
    def test_the_same_key_again_is_one_attempt(
        self, machine: Machine, ledger: Ledger, known: Callable[[Ledger], Asked]
    ) -> None:
        """Whatever became of it, it was just seen to work; its answer is sealed anew, and the old one is gone."""
        known(ledger)
        assert ledger.adopt(ALICE, USER_KEY, body(), NEW_SEAL) is None
        user = machine.user()
        assert (user.left, user.dead) == (False, ())
        (kept, *_) = held(machine.process())
        assert (key_of(kept, NEW_SEAL), kept.left) == (USER_KEY, False)
        assert machine.statuses().count("issued") == 1
        assert len(machine.rows()) == (2 if known is answered else 1)

    @pytest.mark.parametrize("known", [answered, issued, released])
    def test_another_key_takes_its_place(
        self, machine: Machine, ledger: Ledger, known: Callable[[Ledger], Asked]
    ) -> None:
        """The key before is kept and not used any more."""
        known(ledger)
        assert adopt(ledger, key=OTHER_KEY) is None
        assert [(row.status.value, row.attempt.problem) for row in machine.rows()] == [
            ("answered", "another key took its place"),
            ("issued", None),
        ]
        assert [key_of(kept) for kept in held(machine.process())] == [OTHER_KEY]

    def test_it_is_not_taken_from_a_run_that_is_at_it(self, machine: Machine, ledger: Ledger) -> None:
        """While another run asks for the user nothing is written; also where it begins in the very moment."""
        other = machine.process()
        mine = asked(other)
        before = dict(machine.store.documents)
        assert isinstance(adopt(ledger), Busy)
        assert machine.store.documents == before
        other.leave(mine, lost=False)
        other.let_go(mine)

        def begins(call: Call) -> None:
            if call.method == "put_new" and call.names[0].startswith("answers") and call.done:
                machine.fails = lambda _call: None
                asked(other)

        machine.fails = begins
        assert isinstance(adopt(ledger), Busy)
        assert not any(name.startswith("answers/") for name in machine.store.documents)

    @pytest.mark.parametrize("known", [asked, answered, issued, released, dead])
    def test_another_end_users_user_is_refused(
        self, machine: Machine, ledger: Ledger, known: Callable[[Ledger], Asked]
    ) -> None:
        """Nothing is written."""
        known(ledger)
        before = dict(machine.store.documents)
        assert isinstance(adopt(machine.process(), ALSO_ALICE, OTHER_KEY), Taken)
        assert machine.store.documents == before

    @pytest.mark.parametrize("sealed", [True, False], ids=["kept", "looked at"])
    def test_another_users_key_is_refused(self, machine: Machine, ledger: Ledger, sealed: bool) -> None:
        """Nothing is written; without a seal it is only looked at."""
        issued(ledger)
        before = dict(machine.store.documents)
        seal = SEAL if sealed else None
        assert isinstance(ledger.adopt(BOB, USER_KEY, body(), seal), Taken)
        assert ledger.adopt(BOB, OTHER_KEY, body(), None) is None
        assert machine.store.documents == before

    def test_a_key_that_is_claimed_in_that_moment_is_not_used(self, machine: Machine, ledger: Ledger) -> None:
        """Of two end users who bring one key the second is refused, and what was listed of it is not used."""

        def other_is_faster(call: Call) -> None:
            if call.method == "put_new" and call.names == (BOB.name,) and call.done:
                machine.fails = lambda _call: None
                assert adopt(machine.process()) is None

        machine.fails = other_is_faster
        assert isinstance(adopt(ledger, BOB), Taken)
        assert [row.attempt.state for row in machine.rows()] == [State.KEPT, State.UNUSED]


class TestAMove:
    """A user that now stands for another address of its end user."""

    def test_the_key_goes_along(self, machine: Machine, ledger: Ledger) -> None:
        """It is one attempt still, comes back for the new address, and the old one is refused."""
        issued(ledger)
        assert adopt(ledger, ALSO_ALICE, moved_from=ALICE.email) is None
        assert [key_of(kept) for kept in held(machine.process(), ALSO_ALICE)] == [USER_KEY]
        assert isinstance(machine.process().begin(ALICE), Taken)
        assert [(row.identity.email, row.status.value) for row in machine.rows()] == [(ALSO_ALICE.email, "issued")]
        assert adopt(ledger, ALICE, moved_from=ALSO_ALICE.email) is None
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_it_may_bring_another_key(self, machine: Machine, ledger: Ledger) -> None:
        """The old key stays with its old address, and is not used."""
        issued(ledger)
        assert adopt(ledger, ALSO_ALICE, OTHER_KEY, moved_from=ALICE.email) is None
        assert [(row.identity.email, row.status.value) for row in machine.rows()] == [
            (ALICE.email, "answered"),
            (ALSO_ALICE.email, "issued"),
        ]
        assert [key_of(kept) for kept in held(machine.process(), ALSO_ALICE)] == [OTHER_KEY]

    def test_it_is_refused_without_the_address_before(self, machine: Machine, ledger: Ledger) -> None:
        """Whoever does not say where a user came from, or says it wrong, is another end user."""
        issued(ledger)
        before = dict(machine.store.documents)
        assert isinstance(adopt(ledger, ALSO_ALICE), Taken)
        assert isinstance(adopt(ledger, ALSO_ALICE, moved_from=BOB.email), Taken)
        assert machine.store.documents == before


@pytest.mark.parametrize("step", range(1, 8))
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_adoption_that_broke_off_blocks_nobody(machine: Machine, step: int, done: bool) -> None:
    """Wherever its process died, the same end user's next adoption succeeds, and so does a create after it."""
    count = 0

    def dies(call: Call) -> None:
        nonlocal count
        if call.done == done and call.names[0] != "moved":
            count += 1
            if count == step:
                raise KeyboardInterrupt

    machine.fails = dies
    with pytest.raises(KeyboardInterrupt):
        adopt(machine.process())
    machine.fails = lambda _call: None
    machine.living.clear()
    assert adopt(machine.process()) is None
    assert key_of(held(machine.process())[0]) == USER_KEY


def test_a_claim_whose_reply_was_lost_is_ones_own(machine: Machine, ledger: Ledger) -> None:
    """Adopting over a store that loses a reply of each kind ends as without."""
    lost = {"answers", "users", "keys"}

    def loses(call: Call) -> None:
        kind = call.names[0].partition("/")[0]
        if call.done and call.method in ("put_new", "put_over") and kind in lost:
            lost.discard(kind)
            raise Conflict

    machine.fails = loses
    assert adopt(ledger) is None
    assert lost == set()
    assert machine.statuses() == ["issued"]
