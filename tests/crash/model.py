"""What may have become of each key: what always holds, and what a create must bring."""

from __future__ import annotations

import time
from collections import defaultdict

from hypothesis.stateful import RuleBasedStateMachine, invariant

from pulumi_openfunnel.errors import AnotherEndUser, KeySealed, ProvisioningError, Stopped, UserExists
from pulumi_openfunnel.ledger.listing import Status
from pulumi_openfunnel.ledger.turns import Busy
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.provisioning.ownership import release
from pulumi_openfunnel.provisioning.users import wait_for
from pulumi_openfunnel.simulator import Existing, Fault

from .core import Kept
from .world import Died, Held, World


class Model(RuleBasedStateMachine):
    """A world, and what is known of it beside what it says itself."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.old_states: dict[str, dict[str, Held]] = {}
        self.reached: set[tuple[str, str]] = set()  # end users and keys that the ledger's file holds
        self.backed_up: set[tuple[str, str]] = set()
        self.seen: set[str] = set()  # keys that anybody ever had
        self.loose: set[str] = set()  # keys whose first row was lost with a file, so that nobody knows whose they were
        self.unanswered: set[EndUser] = set()  # created, and the answer lost, as the ledger must know
        self.numbers = 0

    def teardown(self) -> None:
        self.world.end()

    # What always holds

    @invariant()
    def no_key_that_reached_the_disk_is_lost(self) -> None:
        """It is in the ledger or in a state, unless the file was lost; and it can be read."""
        rows = self.world.rows()
        assert all(row.key is not None for row in rows if row.row.answer is not None and row.row.answer.whole)
        now = {(row.row.identity.email, str(row.key)) for row in rows if row.key is not None}
        states = {(held.user.email, held.key.api_key) for held in self.world.held()}
        assert self.reached <= now | states
        self.reached |= now
        self.seen |= {key for _, key in now | states}

    @invariant()
    def no_key_has_two_end_users(self) -> None:
        """Neither among the ledger's live rows nor, while the ledger knows whose it is, in the states."""
        owners: dict[str, set[str]] = defaultdict(set)
        for row in self.world.rows():
            if row.live:
                owners[str(row.key)].add(row.row.identity.email)
        assert all(len(emails) == 1 for emails in owners.values())
        for held in self.world.held():
            owners[held.key.api_key].add(held.user.email)
        assert all(len(emails) == 1 for key, emails in owners.items() if key not in self.loose)

    @invariant()
    def nobody_is_created_twice(self) -> None:
        """A user is created once, and once more for each time that nobody could know of it."""
        done = [entry for entry in self.world.entries if entry.done]
        for who in {str(entry.email) for entry in done}:
            times = sum(entry.email == who for entry in done)
            assert times <= 1 + self.world.excuses[who], (who, times)
        assert len({entry.key for entry in done} - self.seen) <= self.world.gone

    # Parts of the rules

    def _created(self, user: EndUser, crash: str | None, *, drop: bool) -> ProvisionedKey | None:
        """What a create brings; None when it fails or dies. It asks only when the ledger knows no better."""
        known, warnings, requests = self._known(user), list[str](), len(self.world.entries)
        if known is None and drop:
            self.world.api.fail_next(Fault.DROP_AFTER)
        self.world.ledger.dies = crash
        key, problem = self._tried(user, Operation(warn=lambda _who, text, _detail=None: warnings.append(text)))
        self.world.ledger.dies = None
        self.world.api.forget_faults()
        if isinstance(problem, ProvisioningError):
            assert self._explained(problem, user, known, drop=drop), problem
        elif key is not None:
            assert known in (None, key.api_key)
            assert warnings or self.world.api.accounts.balance(key.api_key)
        assert known is None or len(self.world.entries) == requests
        self._excuse(user, requests, unkept=isinstance(problem, Died) and crash == "unkept")
        return key if crash is None else None

    def _tried(self, user: EndUser, operation: Operation) -> tuple[ProvisionedKey | None, BaseException | None]:
        """The key that the core's create brings, or what it ends with instead."""
        caller, until = self.world.caller(operation), time.monotonic() + self.world.settings.timeout
        try:
            while isinstance(key := provision(caller, user), Busy):
                wait_for({user.internal_email: key}, caller, until)
        except (ProvisioningError, Died) as problem:
            return None, problem
        return key, None

    def _excuse(self, user: EndUser, requests: int, *, unkept: bool) -> None:
        """Excuse what a create did whose answer nobody could keep."""
        for entry in self.world.entries[requests:]:
            if entry.done and (entry.fault is not None or unkept):
                self.world.forgotten(user)
                self.unanswered.add(user)

    def _explained(self, error: ProvisioningError, user: EndUser, known: str | None, *, drop: bool) -> bool:
        """Whether an error is the one that had to come."""
        if isinstance(error, AnotherEndUser | KeySealed):
            return type(error).__name__ == known
        refused = self.world.api.existing is Existing.CONFLICT and known is None
        needed = user in self.unanswered or (drop and self.world.entries[-1].fault is None and self._first(user))
        return isinstance(error, UserExists) and refused and ("probably created it" in str(error)) >= needed

    def _first(self, user: EndUser) -> bool:
        """Whether the first request for a user was done, and lost."""
        return self.world.entries[-2].email == user.internal_email and self.world.entries[-2].done

    def _known(self, user: EndUser) -> str | None:
        """The key that a create must bring from the ledger, or the error that must come; None when it is to ask."""
        rows = [row for row in self.world.rows() if row.row.identity.internal_email == user.internal_email]
        if any(row.row.identity.email != user.email and row.row.status is not Status.REFUSED for row in rows):
            return AnotherEndUser.__name__
        at_hand = [seal.key_id for seal in self.world.at_hand]
        live = [(row.key, row.row.answer.key_id in at_hand) for row in rows if row.live and row.row.answer is not None]
        working = (key for key, opens in reversed(live) if opens and self.world.api.accounts.balance(str(key)))
        found = next(working, None)
        if found is None and not all(opens for _, opens in live):
            return KeySealed.__name__
        if found is None and live:
            self.world.excuses[user.internal_email] += 1  # dead: another one takes its place
        return found

    def _waits_for(self, user: EndUser) -> bool:
        """Whether the orphan is at a user, and the ledger's file knows it."""
        orphan = self.world.orphan
        return orphan is not None and any(
            row.row.attempt.id == orphan.asked.attempt
            and row.row.status is Status.ASKED
            and row.row.identity.email == user.email
            for row in self.world.rows()
        )

    def _wait(self, stack: str, user: EndUser, *, answers: bool) -> None:
        """A create waits for the orphan: it gets its key, or what its failure leaves; or it is stopped, and has not asked."""
        requests, done = len(self.world.entries), {entry.email for entry in self.world.entries if entry.done}
        most = 1 if self.world.orphan_writes else 2  # an answer that nobody could write is asked for again
        waiting = Operation(wait=lambda _seconds: self._orphan_answers(answers=answers), stopping=lambda: not answers)
        key, problem = self._tried(user, waiting)
        exists = self.world.api.existing is Existing.CONFLICT and user.internal_email in done
        if answers:
            assert self.world.orphan is None
            assert key is not None or isinstance(problem, KeySealed) or (exists and isinstance(problem, UserExists)), (
                problem
            )
            self._into(stack, user, key)
        else:
            assert isinstance(problem, Stopped), problem
        new = self.world.entries[requests:]
        assert len(new) <= (2 if answers else 0)
        assert sum(entry.done for entry in new) <= most

    def _busy(self, row: Kept) -> bool:
        """Whether the orphan is at the row's user."""
        orphan = self.world.orphan
        return orphan is not None and orphan.asked.identity.name == row.row.name

    def _orphan_answers(self, *, answers: bool) -> None:
        if answers and self.world.orphan is not None:
            self.world.orphan_answers()

    def _released(self, held: Held) -> None:
        caller = self.world.caller()
        kept = release(caller.connections, self.world.place, caller, held.user, held.key, revoked=False)
        assert kept
        assert held.key.api_key in [row.key for row in self.world.rows()]

    def _user(self, email: str) -> EndUser:
        return EndUser(email, f"{email.partition('@')[0]}@{self.world.settings.domain}")

    def _into(self, stack: str, user: EndUser, key: ProvisionedKey | None) -> None:
        if key is not None:
            self.numbers += 1
            self.world.stacks[stack][f"resource{self.numbers}"] = Held(user, key)

    def _picked(self, pick: int) -> tuple[str, str]:
        names = [(stack, name) for stack, resources in self.world.stacks.items() for name in resources]
        return names[pick % len(names)]
