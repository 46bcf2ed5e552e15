"""Users at two base URLs that are created, adopted, moved, released, rekeyed, reassigned and forgotten in any order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pulumi_openfunnel.ledger.claims import stands
from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import Claim, Identity, User, key_name
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import Asked, Busy, Holds, Taken, opened
from pulumi_openfunnel.ledger.upkeep import Outcome, forget, rekey

from .rules import ALICE, Machine, body, key_of, reassigned

_BASES = st.sampled_from([ALICE.base_url, "https://other.openfunnel.dev"])
_USERS = st.sampled_from(["alice@orchestrator.com", "bob@orchestrator.com"])
_EMAILS = st.sampled_from(["alice@a.com", "alice@b.com", "bob@b.com"])
_KEYS = st.sampled_from(["of_1", "of_2", "of_3"])


@dataclass
class Owned:
    """What is known of one internal email.

    Attributes:
        email: its end user.
        key: the key that a create must bring; None: it asks.
    """

    email: str
    key: str | None


class Rules(RuleBasedStateMachine):
    """The ledger beside what must be true of it."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.owned: dict[str, Owned] = {}
        self.seals = [Seal(b"the first key of all")]

    # What is known

    def _holder(self, key: str, identity: Identity, moved_from: str | None = None) -> bool:
        """Whether somebody else has a key, as the documents themselves say."""
        emails = (identity.email, moved_from)
        return any(
            user.name != identity.name and (user.internal_email != identity.internal_email or user.email not in emails)
            for user in self._standing(key)
        )

    def _standing(self, key: str) -> list[User]:
        ledger = self.machine.process()
        seen = ledger.archive.read(Claim, key_name(key))
        holders = seen.document.holders if seen is not None else ()
        return [user for name, id in holders if stands(user := ledger.user(name), id, key_name(key))]

    def _is_anothers(self, identity: Identity, *emails: str | None) -> bool:
        known = self.owned.get(identity.name)
        return known is not None and known.email not in (identity.email, *emails)

    # What is done

    @rule(base=_BASES, user=_USERS, email=_EMAILS, key=_KEYS)
    def create(self, base: str, user: str, email: str, key: str) -> None:
        """A user is created; OpenFunnel answers with any key, if it is asked."""
        identity, ledger = Identity(base, ALICE.user_id, user, email), self.machine.process()
        known = self.owned.get(identity.name)
        turn = ledger.begin(identity)
        if self._is_anothers(identity):
            assert isinstance(turn, Taken)
        elif known is not None and known.key is not None:
            assert isinstance(turn, Holds)
            assert key_of(turn.kept[0], self.seals[-1]) == known.key
            assert ledger.claim(turn.kept[0], known.key) is None
        else:
            assert isinstance(turn, Asked)
            self._answer(ledger, turn, key)
        ledger.close()

    def _answer(self, ledger: Ledger, asked: Asked, key: str) -> None:
        identity, anothers = asked.identity, self._holder(key, asked.identity)
        ledger.answered(asked, body(key, identity), self.seals[-1])
        assert isinstance(ledger.claim(asked, key), Taken) == anothers
        if anothers:
            ledger.doubt(asked, "shared")
        self.owned[identity.name] = Owned(identity.email, None if anothers else key)

    @rule(base=_BASES, user=_USERS, email=_EMAILS, key=_KEYS, moved_from=st.none() | _EMAILS)
    def adopt(self, base: str, user: str, email: str, key: str, moved_from: str | None) -> None:
        """A key is brought, perhaps from another address of its end user."""
        identity, ledger = Identity(base, ALICE.user_id, user, email), self.machine.process()
        expected = self._is_anothers(identity, moved_from) or self._holder(key, identity, moved_from)
        before = dict(self.machine.store.documents)
        came = ledger.adopt(identity, key, body(key, identity), self.seals[-1], moved_from)
        assert not isinstance(came, Busy)
        assert isinstance(came, Taken) == expected
        if expected:
            assert self.machine.store.documents == before
        else:
            self.owned[identity.name] = Owned(email, key)
        ledger.close()

    @rule(user=_USERS, email=_EMAILS, key=_KEYS, revoked=st.booleans())
    def release(self, user: str, email: str, key: str, revoked: bool) -> None:
        """A key leaves its stack; where the ledger has it for that user, it stays, or is dead."""
        ledger = self.machine.process()
        held = [one for one in self._standing(key) if one.internal_email == user]
        if not held:
            return
        assert ledger.release(Leaving(user, email, key, body(key), revoked=revoked), None, self.seals[-1:])
        for one in held:
            if revoked and self.owned[one.name].key == key:
                self.owned[one.name].key = None
        ledger.close()

    @rule()
    def rotate(self) -> None:
        """All answers are sealed under another key."""
        self.seals.append(Seal(f"key number {len(self.seals)}".encode()))
        ledger = self.machine.process()
        done = rekey(ledger, self.seals[-1], self.seals)
        assert (done.stuck, done.busy) == (0, 0)
        ledger.close()

    @rule(old=_EMAILS, new=_EMAILS)
    def reassign(self, old: str, new: str) -> None:
        """An end user has another address from now on."""
        ledger = self.machine.process()
        done = reassigned(ledger, old, new, self.seals[-1], self.seals[-1:])
        assert set(done.values()) <= {Outcome.DONE}
        for known in self.owned.values():
            if known.email == old:
                known.email = new
        ledger.close()

    @rule(user=_USERS, base=_BASES)
    def forget(self, user: str, base: str) -> None:
        """A user is forgotten, keys included."""
        ledger, name = self.machine.process(), Identity(base, "", user, "").name
        rows = [row for row in self.machine.rows() if row.name == name]
        assert all(outcome is Outcome.DONE for _, outcome in forget(ledger, rows, lose_keys=True))
        self.owned.pop(name, None)
        ledger.close()

    # What always holds

    @invariant()
    def a_key_is_one_end_users(self) -> None:
        """Of the claims that count, none is of two internal emails."""
        for key in ("of_1", "of_2", "of_3"):
            assert len({user.internal_email for user in self._standing(key)}) <= 1

    @invariant()
    def every_key_is_there(self) -> None:
        """What a create must bring is listed, opens with the key at hand, and is the newest that is used."""
        ledger = self.machine.process()
        for name, known in self.owned.items():
            user = ledger.user(name)
            answers = ledger.answers(user)
            usable = [one for one in user.usable if f"answers/{one.answer}" in answers]
            keys = [opened(answers[f"answers/{one.answer}"], user.identity(one), self.seals[-1:]) for one in usable]
            assert user.email == known.email
            assert keys[:1] == ([body(known.key, user.identity(usable[0]))] if known.key is not None else [])

    @invariant()
    def no_answer_is_lost(self) -> None:
        """Every answer that lies there is an attempt's."""
        listed = {row.answer.name for row in self.machine.rows() if row.answer is not None}
        assert listed == {name for name in self.machine.store.documents if name.startswith("answers/")}


TestRules = Rules.TestCase
TestRules.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
