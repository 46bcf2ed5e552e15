"""The ledger's rows: what each step of a request and of a key's life writes, and what it never loses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Row, Status

from .processes import PROCESS_ENDS, line, process
from .rows import (
    ALICE,
    ALSO_ALICE,
    ASKER,
    BOB,
    KEY_ID,
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with closing(Ledger(path)) as opened:
        yield opened


class TestARequest:
    """From begin to its end."""

    def test_it_is_written_before_it_goes_out(self, ledger: Ledger, path: Path) -> None:
        """A row is on the disk once begin returns: asked, by this run, which is at it, one request, no answer."""
        row = asked(ledger)
        with closing(Ledger(path)) as another:
            (found,) = another.rows()
            assert another.is_asked_for(found)
        assert found == row
        assert (row.identity, row.status, row.asking) == (ALICE, Status.ASKED, True)
        assert (row.attempts, row.unanswered, row.holds_key) == (1, 1, False)
        assert (row.key_id, row.sealed, row.fingerprint, row.problem) == (None, None, None, None)

    def test_requests_without_an_answer_are_counted(self, ledger: Ledger) -> None:
        """Each request counts as unanswered until it is known that it did nothing, or its answer is kept."""
        row = asked(ledger)
        counts = []
        steps: list[Callable[[], None]] = [
            lambda: ledger.sending(row),
            lambda: ledger.nothing_done(row),
            lambda: ledger.sending(row),
            lambda: ledger.answered(row, SEALED, KEY_ID),
        ]
        for step in steps:
            step()
            counts.append((now(ledger, row).attempts, now(ledger, row).unanswered))
        assert counts == [(2, 2), (2, 1), (3, 2), (3, 1)]

    def test_a_later_run_counts_on(self, ledger: Ledger) -> None:
        """A row that is taken up again remembers the request whose answer was lost."""
        row = left_open(ledger)
        again = asked(ledger)
        assert (again.id, again.attempts, again.unanswered) == (row.id, 2, 2)

    def test_an_answer_is_kept(self, ledger: Ledger) -> None:
        """An answer is there with its key id, not believed yet, and not shown by repr."""
        row = now(ledger, answered(ledger))
        assert (row.status, row.sealed, row.key_id, row.fingerprint) == (Status.ANSWERED, SEALED, KEY_ID, None)
        assert row.asking
        assert row.holds_key
        assert "sealed answer" not in repr(row)

    def test_a_believed_answer_is_issued(self, ledger: Ledger) -> None:
        """The row has the key's fingerprint, and nobody is at it."""
        row = now(ledger, issued(ledger))
        assert (row.status, row.fingerprint, row.problem, row.asking) == (Status.ISSUED, PRINT, None, False)
        assert row.holds_key
        assert not ledger.is_asked_for(row)

    def test_a_doubted_answer_stays(self, ledger: Ledger) -> None:
        """An answer that is not believed is kept with what is wrong, holds no key, and the user is asked for anew."""
        row = now(ledger, doubted(ledger))
        assert (row.status, row.problem, row.sealed) == (Status.ANSWERED, "with no JSON object", SEALED)
        assert not row.holds_key
        assert not row.asking
        assert asked(ledger).id != row.id
        assert now(ledger, row) == row

    def test_the_start_of_an_answer_is_kept_aside(self, ledger: Ledger) -> None:
        """What broke off is a row of its own that is never used; the request's row goes on."""
        row = asked(ledger)
        ledger.cut_off(row, SEALED, KEY_ID, "its connection broke off")
        open_, aside = ledger.history(ALICE)
        assert open_ == row
        assert (aside.status, aside.sealed, aside.problem) == (Status.ANSWERED, SEALED, "its connection broke off")
        assert not aside.holds_key
        assert not ledger.is_asked_for(aside)

    @pytest.mark.parametrize(
        ("lost", "refused", "expected"),
        [(0, True, Status.REFUSED), (1, True, Status.ASKED), (0, False, Status.ASKED), (1, False, Status.ASKED)],
        ids=["refused", "refused, one lost", "failed", "failed, one lost"],
    )
    def test_a_refusal_closes_what_nothing_can_have_created(
        self, ledger: Ledger, lost: int, refused: bool, expected: Status
    ) -> None:
        """A refused row is closed, unless an earlier request's answer was lost; nobody is at it in any case."""
        row = asked(ledger)
        for _ in range(lost):
            ledger.sending(row)
        ledger.nothing_done(row)
        ledger.leave(row, refused=refused)
        assert (now(ledger, row).status, now(ledger, row).asking) == (expected, False)
        assert not ledger.is_asked_for(now(ledger, row))

    def test_a_refusal_leaves_an_answer_alone(self, ledger: Ledger) -> None:
        """A row that keeps an answer is not closed by a refusal that comes later."""
        row = answered(ledger)
        ledger.leave(row, refused=True)
        assert now(ledger, row).status is Status.ANSWERED

    @pytest.mark.parametrize("step", ["sending", "answered", "issued", "leave"])
    def test_a_step_that_cannot_be_written_changes_nothing(self, ledger: Ledger, path: Path, step: str) -> None:
        """Where the file is gone, each step fails and the kept file has what was there before."""
        row = asked(ledger)
        steps: dict[str, Callable[[], object]] = {
            "sending": lambda: ledger.sending(row),
            "answered": lambda: ledger.answered(row, SEALED, KEY_ID),
            "issued": lambda: ledger.issued(row, PRINT),
            "leave": lambda: ledger.leave(row, refused=True),
        }
        path.rename(path.with_name("kept.db"))
        with pytest.raises(LedgerUnusable):
            steps[step]()
        with closing(Ledger(path.with_name("kept.db"))) as kept:
            assert kept.rows() == [row]


class TestWhoseTurnItIs:
    """Which row begin gives, and to whom."""

    @pytest.mark.parametrize("known", [answered, issued, released])
    def test_a_key_at_hand_is_not_asked_for_again(self, path: Path, known: Callable[[Ledger], Row]) -> None:
        """A later run is given a row that holds a key as it is."""
        with closing(Ledger(path)) as ledger:
            row = known(ledger)
        with closing(Ledger(path)) as later:
            found, mine = later.begin(ALICE)
            assert (found.id, mine) == (row.id, False)
            assert later.rows() == [found]

    @pytest.mark.parametrize(("known", "again"), [(left_open, True), (refused, False), (dead, False), (doubted, False)])
    def test_what_holds_no_key_is_asked_for(self, ledger: Ledger, known: Callable[[Ledger], Row], again: bool) -> None:
        """An open row is taken up again; beside one that is closed there is a new one, and the old one stays."""
        row = known(ledger)
        mine = asked(ledger)
        assert (mine.id == row.id) == again
        assert len(ledger.rows()) == (1 if again else 2)

    def test_one_thread_asks(self, ledger: Ledger) -> None:
        """Of many threads that begin at once one asks; all get the same row, and there is no other."""
        start = threading.Barrier(16)
        turns: list[tuple[int, bool]] = []

        def begin() -> None:
            start.wait()
            row, mine = ledger.begin(ALICE)
            turns.append((row.id, mine))

        threads = [threading.Thread(target=begin) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(mine for _, mine in turns) == 1
        assert len({id_ for id_, _ in turns}) == len(ledger.rows()) == 1

    def test_threads_that_write_at_once_all_write(self, ledger: Ledger, path: Path) -> None:
        """Changes that go to the disk together are all there, each in its row."""

        def ask(user: int) -> None:
            issued(ledger, replace(BOB, internal_email=f"u{user}@o.com"), f"{user:016x}")

        threads = [threading.Thread(target=ask, args=(user,)) for user in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(Ledger(path)) as another:
            assert {row.fingerprint for row in another.rows()} == {f"{user:016x}" for user in range(24)}
            assert {row.status for row in another.rows()} == {Status.ISSUED}

    def test_a_link_in_place_of_a_lock_is_told(self, ledger: Ledger, path: Path) -> None:
        """Where the lock of another run is a link, whether that run lives is an error of the ledger, not of the system."""
        with closing(Ledger(path)) as other:
            row = asked(other)
            lock = path.with_name(f"{path.name}.run-{row.run}")
            lock.unlink()
            lock.symlink_to(path.with_name("missing"))
            for look in (lambda: ledger.is_asked_for(row), lambda: ledger.begin(ALICE)):
                with pytest.raises(LedgerUnusable):
                    look()
        assert ledger.rows() == [row]

    def test_a_live_run_is_not_disturbed(self, ledger: Ledger, path: Path) -> None:
        """A row that another process is at is not given away until that process is dead; then it is taken over."""
        with process(ASKER, str(path), ALICE.base_url, ALICE.user_id, ALICE.internal_email, ALICE.email) as child:
            assert line(child) == "True"
            row, mine = ledger.begin(ALICE)
            assert not mine
            assert ledger.is_asked_for(row)
            assert (row.attempts, row.unanswered) == (1, 1)
            child.kill()
            child.wait(PROCESS_ENDS)
        assert not ledger.is_asked_for(row)
        taken = asked(ledger)
        assert (taken.id, taken.attempts, taken.unanswered) == (row.id, 2, 2)
        assert taken.run != row.run

    @pytest.mark.parametrize("known", [asked, answered, issued, released, dead, doubted, left_open])
    def test_another_end_user_is_refused(self, ledger: Ledger, known: Callable[[Ledger], Row]) -> None:
        """An internal email that may be another end user's is not asked for, whatever became of that one."""
        row = known(ledger)
        found, mine = ledger.begin(ALSO_ALICE)
        assert (found.id, mine) == (row.id, False)
        assert found.identity.email == ALICE.email
        assert len(ledger.rows()) == 1
        other = ledger.other_end_user(ALSO_ALICE)
        assert other is not None
        assert other.id == row.id
        assert ledger.other_end_user(ALSO_ALICE, moved_from=ALICE.email) is None

    def test_a_refusal_binds_nobody(self, ledger: Ledger) -> None:
        """An internal email whose only request was refused is free for another end user."""
        refused(ledger)
        assert asked(ledger, ALSO_ALICE).identity == ALSO_ALICE

    @pytest.mark.parametrize(
        "changes",
        [{"base_url": "https://other.openfunnel.dev"}, {"internal_email": "alice2@orchestrator.com"}],
        ids=["base URL", "internal email"],
    )
    def test_another_user_is_another_row(self, ledger: Ledger, changes: dict[str, str]) -> None:
        """Users of other names or places do not touch each other."""
        issued(ledger)
        elsewhere = replace(ALSO_ALICE, **changes)
        assert asked(ledger, elsewhere).identity == elsewhere
        assert statuses(ledger) == ["issued"]


def test_closing_twice_is_harmless(path: Path) -> None:
    """A ledger that is closed again closes nothing of anybody else's."""
    ledger = Ledger(path)
    asked(ledger)
    ledger.close()
    with path.open("rb") as another:  # takes the descriptor that the run had
        ledger.close()
        assert another.read(6) == b"SQLite"
