"""Stacks, crashes, orphans, rotated keys and lost files in any order: a model tells what may have become of each key.

``CRASH_EXAMPLES=N`` takes N examples for each server, each time others; without it a few, always the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from pulumi_openfunnel.api import retries
from pulumi_openfunnel.ledger import changes
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sqlite import owners
from pulumi_openfunnel.simulator import Existing

from .core import openfunnel
from .model import Model
from .world import CRASHES, MortalConnections, World

_EXAMPLES = os.environ.get("CRASH_EXAMPLES")
_PROFILE = settings(
    max_examples=int(_EXAMPLES or 30),
    stateful_step_count=40 if _EXAMPLES else 20,
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
_EMAILS = ("alice@startup.com", "alice@other.com", "bob@startup.com")  # the first two are one user at OpenFunnel
_STACKS = st.sampled_from(["dev", "prod"])
_USERS = st.sampled_from(_EMAILS)


class Stacks(Model):
    """What may happen to the keys of a few users in two stacks on one machine."""

    # What Pulumi does

    @rule(stack=_STACKS, email=_USERS, fault=st.booleans())
    def create(self, stack: str, email: str, fault: bool) -> None:
        """A resource is created; where the fault is, the server drops the connection after its work."""
        user = self._user(email)
        if self._waits_for(user):
            self._wait(stack, user, answers=fault)
        else:
            self._into(stack, user, self._created(user, None, drop=fault))

    @rule(email=_USERS, crash=st.sampled_from(CRASHES))
    def die_within_create(self, email: str, crash: str) -> None:
        """A process dies on its way; the next one opens the ledger."""
        if not self._waits_for(self._user(email)):
            self._created(self._user(email), crash, drop=crash == "dropped")
            self.world.restart()

    @precondition(lambda self: any(self.world.held()))
    @rule(pick=st.integers(0, 5))
    def destroy(self, pick: int) -> None:
        """A resource is deleted: its key is in the ledger then."""
        stack, name = self._picked(pick)
        self._released(self.world.stacks[stack].pop(name))

    @precondition(lambda self: any(self.world.held()))
    @rule(pick=st.integers(0, 5))
    def rename(self, pick: int) -> None:
        """A resource gets another name: a create, then a delete, which releases only another key than was created."""
        stack, name = self._picked(pick)
        old = self.world.stacks[stack][name]
        key = None if self._waits_for(old.user) else self._created(old.user, None, drop=False)
        if key is not None:
            self._into(stack, old.user, key)
            if key.fingerprint != old.key.fingerprint:
                self._released(old)
            del self.world.stacks[stack][name]

    @rule(stack=_STACKS)
    def keep_state(self, stack: str) -> None:
        """A copy of a stack's state is put aside."""
        self.old_states[stack] = dict(self.world.stacks[stack])

    @precondition(lambda self: self.old_states)
    @rule(stack=_STACKS)
    def put_state_back(self, stack: str) -> None:
        """An old state is put back, or an empty one: what it does not hold is the ledger's alone."""
        self.world.stacks[stack] = dict(self.old_states.get(stack, {}))

    # Other processes

    @precondition(lambda self: self.world.orphan is None)
    @rule(email=_USERS)
    def orphan_begins(self, email: str) -> None:
        """Another process asks, and its engine is killed."""
        self.world.orphan_begins(self._user(email))

    @precondition(lambda self: self.world.orphan is not None)
    @rule(stack=_STACKS, answers=st.booleans())
    def create_beside_orphan(self, stack: str, answers: bool) -> None:
        """A create for the user that the orphan is at waits for its answer, or is stopped."""
        if self.world.orphan is not None:
            self.create(stack, self.world.orphan.user.email, answers)

    @precondition(lambda self: self.world.orphan is not None)
    @rule(answers=st.booleans())
    def orphan_ends(self, answers: bool) -> None:
        """Its answer comes after all, or it is killed as well."""
        if answers:
            self.world.orphan_answers()
        else:
            self.world.orphan_dies()

    # Keys and files

    @rule(provisioners=st.booleans(), rekeyed=st.booleans())
    def rotate(self, provisioners: bool, rekeyed: bool) -> None:
        """OpenFunnel gives out another provisioner key, or the ledger gets one of its own; all is sealed anew, or not."""
        self.numbers += 1
        if provisioners:
            self.world.rotate_provisioner_key(self.numbers)
        else:
            self.world.rotate_ledger_key(self.numbers)
        if rekeyed:
            self.world.rekey()
            current = self.world.at_hand[0].key_id
            sealed = {
                row.row.answer.key_id for row in self.world.rows() if row.row.answer is not None and not self._busy(row)
            }
            assert sealed <= {current}

    @precondition(lambda self: self.world.api.existing is not Existing.SAME_KEY)
    @rule(email=_USERS)
    def revoke(self, email: str) -> None:
        """OpenFunnel refuses a user's key from now on; only where it would not give out the same key again."""
        self.world.revoke(self._user(email))

    @rule()
    def back_up_ledger(self) -> None:
        """The ledger's file is copied."""
        self.world.back_up()
        self.backed_up = set(self.reached)

    @rule(lost=st.booleans())
    def put_ledger_back(self, lost: bool) -> None:
        """The file is lost, or becomes its older copy again, if there is one."""
        left = self.world.put_back(lost=lost)
        known = self.backed_up if left else set()
        self.loose |= {key for _, key in self.reached - known} | {held.key.api_key for held in self.world.held()}
        self.reached = set(known)
        self.unanswered.clear()


@pytest.fixture
def impatient() -> Iterator[None]:
    """No pause before a request is repeated."""
    with patch.object(retries, "backoff", return_value=0.0):
        yield


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("existing", [Existing.CONFLICT, Existing.SAME_KEY, Existing.NEW_KEY], ids=lambda e: e.value)
def test_whatever_happens_no_key_is_lost(existing: Existing, directory: Path) -> None:
    """In any order of what may happen, each key is where the model says, and no user is asked for without need."""
    _explore(existing, directory, _PROFILE)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("owner", "name"), [(owners, "lives"), (Ledger, "answered"), (changes, "is_anothers")])
def test_the_model_sees_what_is_broken(owner: object, name: str, directory: Path) -> None:
    """The same model fails when locks are not seen, answers not kept, or other end users not looked for."""
    profile = settings(
        _PROFILE, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False, derandomize=True
    )  # it ends with the first that fails
    with patch.object(owner, name, return_value=None), pytest.raises(AssertionError):
        _explore(Existing.CONFLICT, directory, profile)


def _explore(existing: Existing, directory: Path, profile: settings) -> None:
    with openfunnel(existing) as api, contextlib.closing(MortalConnections()) as connections:

        class Machine(Stacks):
            def __init__(self) -> None:
                super().__init__(World(api, directory, connections))

        run_state_machine_as_test(Machine, settings=profile)
