"""A key's life in the ledger: adopted, moved, released, dead, sealed anew, forgotten; and what is never lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Row, Status

from .processes import line, process
from .rows import (
    ALICE,
    ALSO_ALICE,
    ASKER,
    BOB,
    KEY_ID,
    OTHER_PRINT,
    PRINT,
    SEALED,
    answered,
    asked,
    dead,
    doubted,
    issued,
    left_open,
    now,
    refused,
    released,
    statuses,
)

NEW_SEALED = b"another sealed answer"
NEW_KEY_ID = "fedcba9876543210"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(name="ledger")
def _ledger(path: Path) -> Iterator[Ledger]:
    with closing(Ledger(path)) as opened:
        yield opened


def _adopt(
    ledger: Ledger, identity: Identity = ALICE, print_: str = PRINT, moved_from: str | None = None
) -> Row | None:
    return ledger.adopted(identity, print_, NEW_SEALED, NEW_KEY_ID, moved_from)


class TestAdoption:
    """A key that the program brought."""

    def test_it_is_issued(self, ledger: Ledger) -> None:
        """An adopted key is a row like a provisioned one, without a request."""
        assert _adopt(ledger) is None
        (row,) = ledger.rows()
        assert (row.identity, row.status, row.fingerprint, row.attempts) == (ALICE, Status.ISSUED, PRINT, 0)
        assert (row.sealed, row.key_id, row.asking, row.holds_key) == (NEW_SEALED, NEW_KEY_ID, False, True)

    @pytest.mark.parametrize("known", [issued, released, dead], ids=["issued", "released", "dead"])
    def test_a_key_that_is_known_is_issued_again(self, ledger: Ledger, known: Callable[[Ledger], Row]) -> None:
        """The same key, brought again, is the same row, whatever became of it: it was just seen to work."""
        row = known(ledger)
        assert _adopt(ledger) is None
        (found,) = ledger.rows()
        assert (found.id, found.status, found.problem, found.sealed) == (row.id, Status.ISSUED, None, NEW_SEALED)

    @pytest.mark.parametrize(
        ("known", "expected"),
        [
            (issued, "dead"),
            (released, "dead"),
            (left_open, "dead"),
            (refused, "refused"),
            (doubted, "answered"),
            (dead, "dead"),
        ],
        ids=["issued", "released", "open", "refused", "doubted", "dead"],
    )
    def test_another_key_takes_its_place(self, ledger: Ledger, known: Callable[[Ledger], Row], expected: str) -> None:
        """The key before is dead and its answer is kept; a closed row stays as it was."""
        row = now(ledger, known(ledger))
        assert _adopt(ledger, print_=OTHER_PRINT) is None
        assert statuses(ledger) == [expected, "issued"]
        assert now(ledger, row).sealed == row.sealed

    def test_it_is_not_taken_from_a_run_that_is_at_it(self, ledger: Ledger, path: Path) -> None:
        """While another process asks for the user, nothing is written, and its row is given."""
        with process(ASKER, str(path), ALICE.base_url, ALICE.user_id, ALICE.internal_email, ALICE.email) as child:
            assert line(child) == "True"
            before = ledger.rows()
            other = _adopt(ledger)
            assert other == before[0] == ledger.rows()[0]
            assert ledger.is_asked_for(other)

    @pytest.mark.parametrize("known", [answered, issued, released, dead, doubted])
    def test_a_user_of_another_is_refused(self, ledger: Ledger, known: Callable[[Ledger], Row]) -> None:
        """An internal email that the ledger knows as another end user's is not adopted, and nothing is written."""
        row = known(ledger)
        before = ledger.rows()
        other = _adopt(ledger, ALSO_ALICE, OTHER_PRINT)
        assert other is not None
        assert other.id == row.id
        assert ledger.rows() == before

    @pytest.mark.parametrize("known", [issued, released, dead])
    def test_a_key_of_another_is_refused(self, ledger: Ledger, known: Callable[[Ledger], Row]) -> None:
        """A key that the ledger knows as another user's is not adopted, nor issued, and nothing is written."""
        row = known(ledger)
        other = _adopt(ledger, BOB)
        assert other is not None
        assert other.id == row.id
        mine = answered(ledger, BOB)
        before = ledger.rows()
        again = ledger.issued(mine, PRINT)
        assert again is not None
        assert again.id == row.id
        assert ledger.rows() == before
        assert ledger.known_elsewhere(BOB, PRINT) == again
        assert ledger.known_elsewhere(BOB, OTHER_PRINT) is None

    def test_the_same_key_elsewhere_is_another_row(self, ledger: Ledger) -> None:
        """A key that is adopted at another base URL leaves the row of the first one as it was, and is issued there."""
        row = now(ledger, issued(ledger))
        elsewhere = replace(ALICE, base_url="https://other.openfunnel.dev")
        for _ in range(2):
            assert _adopt(ledger, elsewhere) is None
        first, second = ledger.rows()
        assert first == row
        assert (second.identity, second.status, second.fingerprint) == (elsewhere, Status.ISSUED, PRINT)

    def test_a_move_leaves_no_claim_behind(self, ledger: Ledger) -> None:
        """A dead row under the address before does not stand in the way of the user that moved."""
        issued(ledger)
        assert _adopt(ledger, print_=OTHER_PRINT) is None
        assert _adopt(ledger, ALSO_ALICE, OTHER_PRINT, moved_from=ALICE.email) is None
        assert statuses(ledger) == ["dead"]
        row, mine = ledger.begin(ALSO_ALICE)
        assert (row.identity, row.holds_key, mine) == (ALSO_ALICE, True, False)

    def test_a_move_takes_the_row_along(self, ledger: Ledger) -> None:
        """A user that now stands for another address keeps its one row, under the new address."""
        row = issued(ledger)
        assert _adopt(ledger, ALSO_ALICE, moved_from=ALICE.email) is None
        (found,) = ledger.rows()
        assert (found.id, found.identity, found.status) == (row.id, ALSO_ALICE, Status.ISSUED)
        assert ledger.begin(ALSO_ALICE) == (found, False)

    def test_a_move_and_back(self, ledger: Ledger) -> None:
        """A user that is moved to another address and back is where it was."""
        issued(ledger)
        assert _adopt(ledger, ALSO_ALICE, moved_from=ALICE.email) is None
        assert _adopt(ledger, ALICE, moved_from=ALSO_ALICE.email) is None
        assert [(row.identity, row.status) for row in ledger.rows()] == [(ALICE, Status.ISSUED)]


class TestRelease:
    """A key that leaves its stack."""

    @pytest.mark.parametrize(
        ("status", "problem"), [(Status.RELEASED, None), (Status.DEAD, "seen revoked")], ids=["released", "dead"]
    )
    def test_a_known_key_is_marked(self, ledger: Ledger, status: Status, problem: str | None) -> None:
        """The key's row says what became of it, and keeps its answer."""
        row = issued(ledger)
        assert ledger.released(ALICE.internal_email, ALICE.email, PRINT, status)
        found = now(ledger, row)
        assert (found.status, found.problem, found.sealed) == (status, problem, SEALED)
        assert found.holds_key == (status is Status.RELEASED)

    def test_a_dead_key_stays_dead(self, ledger: Ledger) -> None:
        """A key that is known to work no more is there, and is not released."""
        row = now(ledger, dead(ledger))
        assert ledger.released(ALICE.internal_email, ALICE.email, PRINT, Status.RELEASED)
        assert now(ledger, row) == row

    @pytest.mark.parametrize(
        ("internal_email", "email", "fingerprint"),
        [
            (BOB.internal_email, ALICE.email, PRINT),
            (ALICE.internal_email, BOB.email, PRINT),
            (ALICE.internal_email, ALICE.email, OTHER_PRINT),
        ],
        ids=["internal email", "email", "key"],
    )
    def test_an_unknown_key_is_not(self, ledger: Ledger, internal_email: str, email: str, fingerprint: str) -> None:
        """A key that is not there is told, and nothing is written."""
        issued(ledger)
        before = ledger.rows()
        assert not ledger.released(internal_email, email, fingerprint, Status.RELEASED)
        assert ledger.rows() == before

    @pytest.mark.parametrize("status", [Status.RELEASED, Status.DEAD])
    def test_a_key_of_a_state_alone_is_taken_in(self, ledger: Ledger, status: Status) -> None:
        """A key that only a state held is kept, and comes back when it is released."""
        ledger.keep(ALICE, PRINT, SEALED, KEY_ID, status)
        (row,) = ledger.rows()
        assert (row.identity, row.status, row.sealed, row.fingerprint) == (ALICE, status, SEALED, PRINT)
        assert ledger.begin(ALICE)[1] == (status is Status.DEAD)

    @pytest.mark.parametrize("known", [left_open, answered, issued, released])
    def test_a_key_whose_place_is_taken_is_kept_as_dead(self, ledger: Ledger, known: Callable[[Ledger], Row]) -> None:
        """Beside a live row the key that leaves is kept, and the live row stays as it was."""
        row = now(ledger, known(ledger))
        ledger.keep(ALICE, OTHER_PRINT, NEW_SEALED, NEW_KEY_ID, Status.RELEASED)
        first, second = ledger.rows()
        assert first == row
        assert (second.status, second.sealed, second.problem) == (
            Status.DEAD,
            NEW_SEALED,
            "another key had taken its place",
        )

    def test_a_key_of_another_end_users_is_kept_as_dead(self, ledger: Ledger) -> None:
        """A key of an internal email that is another end user's is kept, and never comes back by itself."""
        row = now(ledger, issued(ledger))
        ledger.keep(ALSO_ALICE, OTHER_PRINT, NEW_SEALED, NEW_KEY_ID, Status.RELEASED)
        assert now(ledger, row) == row
        assert statuses(ledger, ALSO_ALICE) == ["dead"]


class TestTheCommand:
    """What ``ledger rekey`` and ``ledger forget`` do."""

    def test_sealing_anew_changes_the_seal_alone(self, ledger: Ledger) -> None:
        """The row's answer is under another key; nothing else changes, not even when it changed."""
        row = now(ledger, issued(ledger))
        ledger.reseal(row, NEW_SEALED, NEW_KEY_ID)
        assert now(ledger, row) == replace(row, sealed=NEW_SEALED, key_id=NEW_KEY_ID)

    def test_nothing_of_a_forgotten_row_is_in_the_file(self, ledger: Ledger, path: Path) -> None:
        """Forgotten rows are gone with their bytes, from the file and the journal; the others stay."""
        secrets = [random.Random(user).randbytes(900) for user in range(40)]
        for user, secret in enumerate(secrets):
            row = asked(ledger, replace(BOB, internal_email=f"u{user}@o.com"))
            ledger.answered(row, secret, KEY_ID)
        kept = ledger.rows()[::2]
        ledger.forget([row for row in ledger.rows() if row not in kept])
        assert ledger.rows() == kept
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert [secret[-32:] in files for secret in secrets] == [True, False] * 20
        assert not any(f"u{user}@o.com".encode() in files for user in range(1, 40, 2))

    def test_a_forgotten_user_may_be_anybodys(self, ledger: Ledger) -> None:
        """What is forgotten binds nobody."""
        ledger.forget([issued(ledger)])
        assert asked(ledger, ALSO_ALICE).identity == ALSO_ALICE

    def test_forgetting_twice_or_nothing_is_no_error(self, ledger: Ledger) -> None:
        """Rows that are gone already, and no rows at all, can be forgotten."""
        row = issued(ledger)
        for _ in range(2):
            ledger.forget([row])
        ledger.forget([])
        assert ledger.rows() == []


@pytest.mark.parametrize("seed", range(6))
def test_no_row_is_lost_and_one_alone_is_live(ledger: Ledger, seed: int) -> None:
    """Whatever is done in whatever order, no row and no answer goes away, and a user never has two live rows."""
    dice = random.Random(seed)
    identities = [ALICE, ALSO_ALICE, BOB]
    prints = [f"{number:016x}" for number in range(5)]
    ids: set[int] = set()
    for _ in range(60):
        identity, print_ = dice.choice(identities), dice.choice(prints)
        row = dice.choice(ledger.rows() or [ledger.begin(identity)[0]])
        moved_from = dice.choice([None, ALICE.email, ALSO_ALICE.email])
        steps: list[Callable[[], object]] = [
            lambda: ledger.begin(identity),  # noqa: B023 - called at once
            lambda: ledger.adopted(identity, print_, SEALED, KEY_ID, moved_from),  # noqa: B023
            lambda: ledger.keep(identity, print_, SEALED, KEY_ID, Status.RELEASED),  # noqa: B023
            lambda: ledger.released(identity.internal_email, identity.email, print_, Status.RELEASED),  # noqa: B023
            lambda: ledger.leave(row, refused=True),  # noqa: B023
            lambda: ledger.doubted(row, "not believed") if row.status is Status.ANSWERED else None,  # noqa: B023
            lambda: ledger.dead(row, "revoked") if row.status is Status.ISSUED else None,  # noqa: B023
            lambda: ledger.answered(row, SEALED, KEY_ID) if row.status is Status.ASKED else None,  # noqa: B023
            lambda: ledger.issued(row, print_) if row.status is Status.ANSWERED and not row.problem else None,  # noqa: B023
        ]
        sealed = {row.id for row in ledger.rows() if row.sealed is not None}
        dice.choice(steps)()
        rows = ledger.rows()
        assert ids <= {row.id for row in rows}
        assert sealed <= {row.id for row in rows if row.sealed is not None}
        live = [row.identity for row in rows if row.status in (Status.ASKED, Status.ISSUED, Status.RELEASED)]
        assert len(live) == len(set(live))
        ids = {row.id for row in rows}


def test_a_second_live_row_is_refused_by_the_file(ledger: Ledger) -> None:
    """Not even SQL of our own can give a user two live rows."""
    row = issued(ledger)
    second = asked(ledger, BOB)
    twice = partial(ledger._set, second.id, internal_email=row.identity.internal_email, email=row.identity.email)
    with pytest.raises(LedgerUnusable, match="UNIQUE"):
        ledger._commits.make(twice)
    assert now(ledger, second) == second
