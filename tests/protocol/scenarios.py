"""Who wants what at once, and what must hold once nothing more can happen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

from pulumi_openfunnel.ledger import upkeep
from pulumi_openfunnel.ledger.changes import died
from pulumi_openfunnel.ledger.documents import Answer, Attempt, Claim, Identity, State, Stored, User, key_name
from pulumi_openfunnel.ledger.rules import Ledger

from .decoding import remembered
from .scripts import adopt, create, rekey
from .seams import Memory, PlainSeal, Script, SteppedOwners
from .search import Found, search
from .stepping import Automaton
from .terms import EXISTS, LOST, PROBABLY, TAKEN, Budget, Wrong
from .world import World

ALICE = Identity("https://api.openfunnel.dev", "guy@orchestrator.com", "alice@orchestrator.com", "alice@startup.com")
ALSO_ALICE = replace(ALICE, email="alice@other.com")
BOB = replace(ALICE, internal_email="bob@orchestrator.com", email="bob@startup.com")
EVE = replace(ALICE, internal_email="eve@orchestrator.com", email="eve@evil.com")
KEY = "of_brought"


@dataclass(frozen=True)
class Scenario:
    """Processes at once, and more of them, one after the other, once nothing else can happen.

    Attributes:
        scripts: what each process does.
        afterwards: what is tried then.
        judge: raises Wrong, given the world before and after, and what came of that.
        documents: what lies in the store.
        keys: users that exist, with their keys.
    """

    scripts: Sequence[Script]
    afterwards: Sequence[Script]
    judge: Callable[[World, World, list[object]], None]
    documents: Sequence[Stored] = ()
    keys: tuple[tuple[str, str], ...] = ()

    def explore(
        self,
        existing: str,
        budget: Budget,
        ledger: type[Ledger] = Ledger,
        owners: type[SteppedOwners] = SteppedOwners,
        most: int = 10**9,
    ) -> Found:
        """Search all that may happen."""
        memory = functools.partial(Memory, ledger=ledger, owners=owners)
        then: dict[str, Automaton] = {}

        def start() -> World:
            processes = {f"p{n}": Automaton(f"p{n}", script, memory) for n, script in enumerate(self.scripts, 1)}
            then.update({f"z{n}": Automaton(f"z{n}", one, memory) for n, one in enumerate(self.afterwards, 1)})
            return World(existing, processes, budget, self.documents, dict(self.keys))

        def finale(world: World) -> None:
            self._hold_before(world)
            after = world.copy()
            self.judge(world, after, [after.then(name, automaton) for name, automaton in then.items()])

        with remembered(), patch.object(upkeep, "together", map):  # a process is one thread here
            return search(start, finale, most)

    @staticmethod
    def _hold_before(world: World) -> None:
        for email, number in world.needless.items():
            if number > world.excused.get(email, 0):
                raise Wrong(f"{email} was asked for {number} times although its key was kept")
        for email, number in world.made.items():
            if number > 1 + world.excused.get(email, 0):
                raise Wrong(f"{email} was made {number} times")


def wanted(identities: Sequence[Identity]) -> Scenario:
    """Each end user is wanted by a process, and once more afterwards."""
    once = list(dict.fromkeys(identities))

    def judge(before: World, after: World, results: list[object]) -> None:
        if after.needless != before.needless:
            raise Wrong("a user was asked for although its key was kept")
        for identity, result in zip(once, results, strict=True):
            _judge_wanted(before, after, identity, result)
        for email in {identity.internal_email for identity in once}:
            came = [one for identity, one in zip(once, results, strict=True) if identity.internal_email == email]
            if all(result == TAKEN for result in came):
                raise Wrong(f"{email} is nobody's: everybody is refused")

    return Scenario([create(one) for one in identities], [create(one) for one in once], judge)


def _judge_wanted(before: World, after: World, identity: Identity, result: object) -> None:
    """A live key that was kept before comes back."""
    key = before.keys.get(identity.internal_email)
    if (identity.email, str(key)) in before.kept and result != key:
        raise Wrong(f"{key} of {identity.email} was kept and is lost: {result}")
    if result not in (after.keys.get(identity.internal_email), TAKEN, EXISTS, PROBABLY):
        raise Wrong(f"{identity.email} got {result}")


def answered_alike(identities: Sequence[Identity]) -> Scenario:
    """The API answers all of several end users with the same key: one of them gets it, then and afterwards."""

    def judge(_before: World, _after: World, results: list[object]) -> None:
        if sum(result not in (TAKEN, LOST) for result in results) != 1:
            raise Wrong(f"one key, and this is what they got: {results}")

    scripts = [create(one) for one in identities]
    return Scenario(scripts, scripts, judge)


def adopted(identities: Sequence[Identity], documents: Sequence[Stored] = ()) -> Scenario:
    """Each end user is given the same key, and once more afterwards: exactly one of them gets it."""
    scripts = [adopt(one, KEY) for one in identities]

    def judge(_before: World, _after: World, results: list[object]) -> None:
        if results.count(KEY) != 1:
            raise Wrong(f"the key was handed to {results.count(KEY)} of its end users: {results}")

    return Scenario(scripts, scripts, judge, documents, ((ALICE.internal_email, KEY),))


def moved() -> Scenario:
    """A user moves to another address of its end user, while it is wanted under that address."""

    def judge(_before: World, _after: World, results: list[object]) -> None:
        if results[1:] != [KEY, KEY]:
            raise Wrong(f"the user that moved does not get its key: {results}")

    move = adopt(ALSO_ALICE, KEY, moved_from=ALICE.email)
    scripts = [move, create(ALSO_ALICE)]
    return Scenario(
        scripts, [create(ALSO_ALICE), move, create(ALSO_ALICE)], judge, issued(ALICE), ((ALICE.internal_email, KEY),)
    )


def brought_again() -> Scenario:
    """A user's own key is brought once more, while another end user brings it: at no moment is it up for grabs."""

    def judge(_before: World, _after: World, results: list[object]) -> None:
        if results != [KEY, TAKEN]:
            raise Wrong(f"the key was its user's before: {results}")

    scripts = [adopt(ALICE, KEY), adopt(BOB, KEY)]
    return Scenario(scripts, scripts, judge, issued(ALICE), ((ALICE.internal_email, KEY),))


def sealed_anew() -> Scenario:
    """Answers are sealed under another key while their user is wanted: its key comes back, and no request is made."""

    def judge(_before: World, after: World, results: list[object]) -> None:
        if results != [KEY] or after.made:
            raise Wrong(f"the key is lost: {results}")

    return Scenario(
        [rekey("new"), create(ALICE)], [create(ALICE)], judge, issued(ALICE), ((ALICE.internal_email, KEY),)
    )


def attempt(id: str, identity: Identity, state: State = State.OPEN) -> Attempt:
    """An attempt of a run that is long dead."""
    return Attempt(
        id=id,
        run="old",
        user_id=identity.user_id,
        email=identity.email,
        state=state,
        created=0.0,
        changed=0.0,
        answer=id,
    )


def issued(identity: Identity, key: str = KEY) -> list[Stored]:
    """What a user leaves whose key was issued long ago."""
    return [
        User(
            name=identity.name,
            base_url=identity.base_url,
            internal_email=identity.internal_email,
            email=identity.email,
            attempts=(attempt("a1", identity),),
        ),
        answer("a1", identity, key),
        Claim(name=key_name(key), fingerprint=identity.email, holders=((identity.name, "a1"),)),
    ]


def answer(id: str, identity: Identity, key: str = KEY) -> Answer:
    """An answer that was kept."""
    sealed = PlainSeal().seal(key.encode(), identity.bound)
    return Answer(name=f"answers/{id}", key_id="plain", sealed=sealed, whole=True, kept=0.0)


def stale(identity: Identity, key: str = KEY) -> list[Stored]:
    """A claim that does not count any more, because the key is dead for its user."""
    user, kept, claim = issued(identity, key)
    if not isinstance(user, User):
        raise TypeError
    return [died(user, "a1", key_name(key), "refused", 0.0), kept, claim]


def forgotten(identity: Identity, key: str = KEY) -> list[Stored]:
    """A claim that does not count any more, because its user was forgotten."""
    return [User(name=identity.name), issued(identity, key)[2]]
