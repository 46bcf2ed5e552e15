"""The protocol, searched: whatever two processes do in whatever order, and whatever goes wrong between them.

``PROTOCOL=deep`` (``make protocol``) lets more go wrong on one path; without it each thing once, and some pairs.
"""

from __future__ import annotations

import os

import pytest

from .decoding import remembered
from .leasing import leasing, nobody_waits
from .scenarios import (
    ALICE,
    ALSO_ALICE,
    BOB,
    EVE,
    Scenario,
    adopted,
    answered_alike,
    brought_again,
    forgotten,
    moved,
    sealed_anew,
    stale,
    wanted,
)
from .search import search
from .terms import CONFLICT, NEW, NEW_JUDGED, ONE_FOR_ALL, SAME, Budget

_DEEP = os.environ.get("PROTOCOL") == "deep"

ONE = wanted([ALICE, ALICE])
TWO = wanted([ALICE, ALSO_ALICE])

_BUDGETS = [
    Budget(crashes=1, lost=1),
    Budget(crashes=1, failed=1),
    Budget(crashes=1, dropped=1),
    Budget(crashes=2, cut=1),
    Budget(lost=1, failed=1),
    Budget(stalls=1),
]
_DEEP_BUDGETS = [
    Budget(crashes=1, stalls=1, lost=1),
    Budget(crashes=1, stalls=1, failed=1),
    Budget(crashes=1, stalls=1, dropped=1),
    Budget(crashes=1, stalls=1, cut=1),
    Budget(crashes=2, lost=1, failed=1, dropped=1),
    Budget(stalls=2),
]
BUDGETS = _BUDGETS + (_DEEP_BUDGETS if _DEEP else [])


def _named(budget: Budget) -> str:
    return ", ".join(f"{number} {name}" for name, number in vars(budget).items() if number)


def _holds(scenario: Scenario, existing: str, budget: Budget) -> None:
    found = scenario.explore(existing, budget)
    print(f"{found.states} states, {found.ends} ends")
    assert found.wrong is None
    assert found.ends


@pytest.mark.parametrize("budget", BUDGETS, ids=_named)
@pytest.mark.parametrize("existing", [CONFLICT, SAME, NEW, NEW_JUDGED])
@pytest.mark.parametrize("scenario", [ONE, TWO], ids=["one end user", "two end users"])
def test_no_key_is_lost_and_nobody_is_asked_for_twice(scenario: Scenario, existing: str, budget: Budget) -> None:
    """Two processes want one user: a key that was kept comes back, without a request, and to its end user alone."""
    _holds(scenario, existing, budget)


@pytest.mark.parametrize("budget", BUDGETS, ids=_named)
@pytest.mark.parametrize(
    "scenario",
    [adopted([ALICE, BOB]), adopted([ALICE, BOB], stale(EVE)), adopted([ALICE, BOB], forgotten(ALICE))],
    ids=["new", "dead for another", "forgotten by one"],
)
def test_a_key_is_one_end_users(scenario: Scenario, budget: Budget) -> None:
    """Two end users bring the same key: one gets it, whoever died half-way, and also where an old claim is in the way."""
    _holds(scenario, CONFLICT, budget)


@pytest.mark.parametrize("budget", [budget for budget in BUDGETS if not budget.failed], ids=_named)
def test_a_key_that_everybody_is_answered_is_one_end_users(budget: Budget) -> None:
    """An API that answers two end users alike: one of them gets the key, and keeps it."""
    _holds(answered_alike([ALICE, BOB]), ONE_FOR_ALL, budget)


@pytest.mark.parametrize("budget", BUDGETS, ids=_named)
@pytest.mark.parametrize(
    "scenario", [moved(), brought_again(), sealed_anew()], ids=["moved", "brought again", "sealed anew"]
)
def test_a_key_stays_its_users(scenario: Scenario, budget: Budget) -> None:
    """A user that moves to another address, brings its key again, or whose answer is sealed anew, has its key afterwards."""
    _holds(scenario, CONFLICT, budget)


def test_a_lease_that_lapsed_is_over() -> None:
    """A run that another one took for dead never takes itself for alive, however time passes; and none lives for ever."""
    with remembered():
        found = search(leasing(2 if _DEEP else 1), nobody_waits)
    print(f"{found.states} states")
    assert found.wrong is None
