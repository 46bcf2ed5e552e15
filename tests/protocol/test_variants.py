"""What is known to be wrong is found: each variant breaks one rule, and the search tells what comes of it."""

from __future__ import annotations

import pytest

from pulumi_openfunnel.ledger.leases import Leases
from pulumi_openfunnel.ledger.rules import Ledger

from . import variants
from .decoding import remembered
from .leasing import leasing, nobody_waits
from .scenarios import ALICE, BOB, EVE, Scenario, adopted, brought_again, forgotten, moved, stale, wanted
from .search import search
from .terms import CONFLICT, NEW, NEW_JUDGED, SAME, Budget

ONE = wanted([ALICE, ALICE])
ALONE = wanted([ALICE])
BOTH = "was handed to alice@startup.com and to bob@startup.com"
BOTH_SO_FAR = "the key was its user's before"
NEEDLESS = "asked for although its key was kept"
REPLACED = "was handed over, and p2 has another one take its place"
MISSED = "is told that its user exists, although the key was kept"


@pytest.mark.parametrize(
    ("ledger", "scenario", "existing", "budget", "wrong"),
    [
        (variants.OneRow, ONE, NEW, Budget(stalls=1), NEEDLESS),
        (variants.LateAnswersHandedOver, ONE, NEW_JUDGED, Budget(stalls=1), REPLACED),
        (variants.OneAnswerIsEnough, ONE, NEW_JUDGED, Budget(stalls=1), REPLACED),
        (variants.RelistedInSilence, ONE, NEW_JUDGED, Budget(stalls=1), REPLACED),
        (variants.AddressInClaim, moved(), CONFLICT, Budget(crashes=1), MISSED),
        (variants.ClaimFirst, adopted([ALICE, BOB]), CONFLICT, Budget(), BOTH),
        (variants.AnotherAttempt, brought_again(), CONFLICT, Budget(), BOTH_SO_FAR),
        (variants.OwnClaimAsItIs, adopted([ALICE, BOB], forgotten(ALICE)), CONFLICT, Budget(), BOTH),
        (variants.StaleClaimsTakenBlindly, adopted([ALICE, BOB], stale(EVE)), CONFLICT, Budget(), BOTH),
        (variants.NoSecondLook, ONE, CONFLICT, Budget(stalls=1), MISSED),
        (variants.AnswersBeforeRuns, ONE, CONFLICT, Budget(), "although its key was kept"),
        (variants.OwnAnswerAlone, ONE, CONFLICT, Budget(stalls=1), MISSED),
        (variants.ConflictBelieved, ALONE, CONFLICT, Budget(lost=1), "was kept and is lost"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_a_broken_ledger_is_found(
    ledger: type[Ledger], scenario: Scenario, existing: str, budget: Budget, wrong: str
) -> None:
    """The search finds a path to what the broken rule was there to prevent."""
    found = scenario.explore(existing, budget, ledger)
    assert wrong in (found.wrong or "")


@pytest.mark.parametrize(("existing", "wrong"), [(CONFLICT, MISSED), (NEW, NEEDLESS)])
def test_an_answer_that_counts_later_is_found(existing: str, wrong: str) -> None:
    """Where an answer counts once a fourth write says so, a crash before it loses the key."""
    with variants.only_issued_counts():
        found = ALONE.explore(existing, Budget(crashes=1), variants.DeferredIssue)
    assert wrong in (found.wrong or "")


@pytest.mark.parametrize("existing", [CONFLICT, SAME, NEW])
def test_a_process_that_wakes_and_renews_is_found(existing: str) -> None:
    """A process that renews its lease when it wakes asks for a user that another one asked for meanwhile."""
    found = ONE.explore(existing, Budget(stalls=1), owners=variants.WakesAndRenews)
    assert "although its key was kept" in (found.wrong or "")


@pytest.mark.parametrize(
    ("leases", "passes"), [(variants.RenewsFirst, 1), (variants.CountsFromTheReply, 2)], ids=["first", "reply"]
)
def test_broken_leases_are_found(leases: type[Leases], passes: int) -> None:
    """A lease that is renewed whatever time went by, or counted from the reply, lives when others took it for dead."""
    with remembered():
        found = search(leasing(passes, leases), nobody_waits)
    assert "although another one took it for dead" in (found.wrong or "")
