"""The ledger's rules of keys whose user leaves its stack: they wait, and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import State
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.turns import Asked

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
    down,
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


def leaving(key: str = USER_KEY, email: str = ALICE.email, *, revoked: bool = False) -> Leaving:
    return Leaving(ALICE.internal_email, email, key, body(key), revoked=revoked)


class TestARelease:
    """A key that leaves its stack."""

    def test_it_comes_back(self, machine: Machine, ledger: Ledger) -> None:
        """Without settings the key is found by its claim; declared again, it is the user's as before."""
        issued(ledger)
        assert ledger.release(leaving())
        assert machine.statuses() == ["released"]
        later = machine.process()
        (kept,) = held(later)
        assert kept.left
        assert later.claim(kept, USER_KEY) is None
        assert machine.statuses() == ["issued"]

    def test_a_revoked_one_does_not(self, machine: Machine, ledger: Ledger) -> None:
        """It is dead, and stays so when it is released again."""
        issued(ledger)
        assert ledger.release(leaving(revoked=True))
        assert ledger.release(leaving())
        assert machine.statuses() == ["dead"]
        asked(machine.process())

    def test_a_key_under_a_retired_seal_is_replaced_by_the_states_copy(self, machine: Machine, ledger: Ledger) -> None:
        """After a rotation the released key opens with the key at hand; where it opens anyway, nothing is sealed anew."""
        issued(ledger)
        assert ledger.release(leaving(), ALICE, [SEAL])
        before = {name for name in machine.store.documents if name.startswith("answers/")}
        assert ledger.release(leaving(), ALICE, [NEW_SEAL])
        after = {name for name in machine.store.documents if name.startswith("answers/")}
        assert len(after) == 1
        assert after != before
        assert key_of(held(machine.process())[0], NEW_SEAL) == USER_KEY

    def test_another_orchestrators_key_seals_nothing_anew(self, machine: Machine, ledger: Ledger) -> None:
        """The settings name another orchestrator by now: the copy still opens with the key of the one that it is of."""
        issued(ledger)
        assert ledger.release(leaving(), replace(ALICE, user_id="guy@other.com"), [NEW_SEAL])
        assert key_of(held(machine.process())[0], SEAL) == USER_KEY

    @pytest.mark.parametrize("settings", [True, False], ids=["with settings", "without"])
    def test_a_key_of_the_state_alone_is_taken_in(self, machine: Machine, ledger: Ledger, settings: bool) -> None:
        """Where there is something to seal it under it is kept, and comes back; else that is told."""
        identity, seals = (ALICE, [SEAL]) if settings else (None, [])
        assert ledger.release(leaving(), identity, seals) == settings
        assert machine.statuses() == (["released"] if settings else [])
        if settings:
            assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_a_revoked_key_of_the_state_alone_is_taken_in_as_dead(self, machine: Machine, ledger: Ledger) -> None:
        """It is shown, and does not come back."""
        assert ledger.release(leaving(revoked=True), ALICE, [SEAL])
        assert machine.statuses() == ["dead"]
        asked(machine.process())

    @pytest.mark.parametrize("known", [asked, answered, issued])
    def test_a_key_whose_place_is_taken_is_kept_aside(
        self, machine: Machine, ledger: Ledger, known: Callable[[Ledger], Asked]
    ) -> None:
        """Beside a live one, or one that is on its way, it is kept and not used."""
        known(ledger)
        assert ledger.release(leaving(OTHER_KEY), ALICE, [SEAL])
        *_, row = machine.rows()
        assert (row.attempt.state, row.attempt.problem) == (State.UNUSED, "another key took its place")
        assert not machine.user().left

    def test_a_second_key_is_kept_aside_while_the_first_one_waits(self, machine: Machine, ledger: Ledger) -> None:
        """The key that was released before is the one that comes back."""
        issued(ledger)
        ledger.release(leaving())
        assert ledger.release(leaving(OTHER_KEY), ALICE, [SEAL])
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]
        assert machine.statuses() == ["released", "answered"]

    def test_a_key_of_another_end_users_is_kept_aside(self, machine: Machine, ledger: Ledger) -> None:
        """The user stays the one of the end user whose it is."""
        issued(ledger)
        other = replace(leaving(OTHER_KEY), email=ALSO_ALICE.email)
        assert ledger.release(other, ALSO_ALICE, [SEAL])
        assert machine.user().email == ALICE.email
        assert [key_of(kept) for kept in held(machine.process())] == [USER_KEY]

    def test_a_user_that_moved_on_is_left_alone(self, machine: Machine, ledger: Ledger) -> None:
        """The old address leaves the stack in the update that brings the new one: the key is held, and not released."""
        issued(ledger)
        ledger.adopt(ALSO_ALICE, USER_KEY, body(), SEAL, ALICE.email)
        assert ledger.release(leaving(), ALICE, [SEAL])
        assert machine.statuses() == ["issued"]

    def test_another_users_release_takes_nothing(self, machine: Machine, ledger: Ledger) -> None:
        """A key that is said to be another internal email's, or that is not the user's, is not touched."""
        issued(ledger)
        assert not ledger.release(replace(leaving(), internal_email=BOB.internal_email))
        assert not ledger.release(leaving(OTHER_KEY))
        assert machine.statuses() == ["issued"]


def test_a_store_that_is_down_is_told(machine: Machine, ledger: Ledger) -> None:
    """A release that could not be written is an error, so that nobody believes the key is kept."""
    issued(ledger)
    machine.fails = down(["put_over"])
    with pytest.raises(Exception, match="is down"):
        ledger.release(leaving())
