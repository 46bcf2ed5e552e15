"""What an operation remembers of its stack: which end user a user and a key stand for, in whatever order it is shown."""

from __future__ import annotations

import json

import pytest

from pulumi_openfunnel.errors import AnotherEndUser
from pulumi_openfunnel.provisioning.keys import EndUser
from pulumi_openfunnel.provisioning.memory import Memory

USER = "info@orchestrator.com"
ALICE, BOB = EndUser("info@a.com", USER), EndUser("info@b.com", USER)
ALICE_MOVED = EndUser("info@bigcorp.com", USER)
CAROL = EndUser("carol@c.com", "carol@orchestrator.com")
KEY, OTHER_KEY = "c7785caa04caacfa", "00000000deadbeef"


@pytest.fixture
def memory() -> Memory:
    return Memory()


def _document(*users: EndUser, fingerprint: str = KEY) -> str:
    """A shard's users, as its state holds them."""
    return json.dumps(
        {
            f"cust-{number}": {
                "email": user.email,
                "internal_email": user.internal_email,
                "key_fingerprint": fingerprint,
            }
            for number, user in enumerate(users)
        }
    )


def _names_both(error: pytest.ExceptionInfo[AnotherEndUser]) -> bool:
    """Whether both end users are named, and nobody where their addresses are secret."""
    told, error_ = str(error.value), error.value
    assert told.isprintable()
    error_.call_user("alice")
    assert "@" not in str(error_)
    assert str(error_).startswith("alice: ")
    return "info@a.com" in told and "info@b.com" in told


class TestAUser:
    """One internal email stands for one end user."""

    def test_a_holder_is_not_given_away(self, memory: Memory) -> None:
        """Whoever declares, or asks, for a user that another end user holds is refused; the holder is not."""
        memory.stood_for(ALICE, KEY)
        for verb in (memory.check, memory.declare):
            with pytest.raises(AnotherEndUser, match="No key was handed out") as error:
                verb(BOB)
            assert _names_both(error)
            verb(ALICE)
            verb(CAROL)

    def test_a_holder_in_a_shards_document_is_not_either(self, memory: Memory) -> None:
        """The document is looked into when somebody asks."""
        memory.remember(_document(CAROL, ALICE))
        with pytest.raises(AnotherEndUser) as error:
            memory.declare(BOB)
        assert _names_both(error)

    def test_nor_is_one_of_a_roster_that_stays_as_it_is(self, memory: Memory) -> None:
        """Its members are declared, too, though nobody looked at them when they were shown."""
        assert memory.keeps(_document(CAROL, ALICE))
        for verb in (memory.declare, memory.check):
            with pytest.raises(AnotherEndUser) as error:
                verb(BOB)
            assert _names_both(error)
            verb(ALICE)

    @pytest.mark.parametrize("before", ["declare", "give"])
    def test_a_roster_that_stays_is_looked_at_where_others_were_before(self, memory: Memory, before: str) -> None:
        """As one of them may be the user of one of its members."""
        memory.declare(BOB) if before == "declare" else memory.give(BOB, KEY)
        assert not memory.keeps(_document(ALICE))

    def test_two_declarations_do_not_stand_for_one(self, memory: Memory) -> None:
        """Also of resources that are both new; the second one is refused, the first one's own look is not."""
        memory.declare(ALICE)
        with pytest.raises(AnotherEndUser) as error:
            memory.declare(BOB)
        assert _names_both(error)
        memory.check(ALICE)
        memory.declare(ALICE)

    def test_a_holder_that_is_shown_after_the_answer_fails(self, memory: Memory) -> None:
        """It is its own verb that raises, and names both, because the key may be in two hands."""
        memory.give(BOB, KEY)
        with pytest.raises(AnotherEndUser, match="has just got it: both may have one key") as error:
            memory.stood_for(ALICE, KEY)
        assert _names_both(error)

    def test_so_does_one_in_a_shards_document(self, memory: Memory) -> None:
        """As soon as the engine shows it."""
        memory.give(BOB, KEY)
        with pytest.raises(AnotherEndUser, match="has just got it") as error:
            memory.remember(_document(CAROL, ALICE))
        assert _names_both(error)

    def test_a_holder_that_is_shown_before_the_answer_refuses_the_answer(self, memory: Memory) -> None:
        """A request was on its way when the engine showed it."""
        memory.check(BOB)
        memory.stood_for(ALICE, KEY)
        for key in (KEY, OTHER_KEY):
            with pytest.raises(AnotherEndUser) as error:
                memory.give(BOB, key)
            assert _names_both(error)
        assert memory.given_to(USER) is None

    @pytest.mark.parametrize("shown_first", [True, False])
    def test_the_same_end_user_gets_its_user_back(self, memory: Memory, shown_first: bool) -> None:
        """As when a resource is renamed without an alias, or moves into a roster: in either order."""
        if shown_first:
            memory.stood_for(ALICE, KEY)
        memory.declare(ALICE)
        memory.give(ALICE, KEY)
        if not shown_first:
            memory.stood_for(ALICE, KEY)
            memory.remember(_document(ALICE))
        assert memory.given_to(USER) == ALICE.email

    @pytest.mark.parametrize("asked", [ALICE, ALICE_MOVED])
    def test_an_end_user_that_moves_keeps_its_user(self, memory: Memory, asked: EndUser) -> None:
        """Under its old address and under its new one; nobody else does."""
        memory.stood_for(ALICE, KEY)
        memory.moves(USER, ALICE.email, ALICE_MOVED.email)
        memory.declare(ALICE_MOVED)
        memory.give(asked, KEY)
        memory.stood_for(ALICE, KEY)
        with pytest.raises(AnotherEndUser):
            memory.check(BOB)

    def test_a_move_from_somebody_else_is_none(self, memory: Memory) -> None:
        """Only who holds a user takes it along."""
        memory.stood_for(ALICE, KEY)
        memory.moves(USER, BOB.email, ALICE_MOVED.email)
        with pytest.raises(AnotherEndUser):
            memory.check(ALICE_MOVED)


class TestAKey:
    """One key is one end user's."""

    def test_one_that_is_pasted_twice(self, memory: Memory) -> None:
        """The second user that brings it is refused; the first one may bring it again, as in the update."""
        memory.declare_key(ALICE, KEY)
        with pytest.raises(AnotherEndUser, match="Pass each user's own key") as error:
            memory.declare_key(EndUser("other@b.com", "other@orchestrator.com"), KEY)
        assert "info@a.com" in str(error.value)
        memory.declare_key(ALICE, KEY)
        memory.declare_key(CAROL, OTHER_KEY)

    @pytest.mark.parametrize("held", ["by a user", "in a shard"])
    def test_one_that_another_end_user_holds(self, memory: Memory, held: str) -> None:
        """It is refused as an adopted one and as an answered one, whichever internal email it comes for."""
        if held == "by a user":
            memory.stood_for(ALICE, KEY)
        else:
            memory.remember(_document(ALICE))
        for verb in (memory.declare_key, memory.check_key, memory.give):
            with pytest.raises(AnotherEndUser) as error:
                verb(CAROL, KEY)
            assert KEY in str(error.value) or verb == memory.declare_key
            assert "info@a.com" in str(error.value)
        assert memory.given_to(CAROL.internal_email) is None

    def test_one_that_this_operation_gave(self, memory: Memory) -> None:
        """A server that answers two users with one key."""
        memory.give(ALICE, KEY)
        with pytest.raises(AnotherEndUser):
            memory.give(CAROL, KEY)

    def test_the_same_end_user_under_another_internal_email(self, memory: Memory) -> None:
        """As after a change of the mapping, with a server that hands out one key: it is nobody else's."""
        memory.stood_for(ALICE, KEY)
        memory.give(EndUser(ALICE.email, "info+a.com@orchestrator.com"), KEY)

    def test_a_successor(self, memory: Memory) -> None:
        """Another key for the same user is no matter of this."""
        memory.stood_for(ALICE, KEY)
        memory.declare_key(ALICE, OTHER_KEY)
        memory.give(ALICE, OTHER_KEY)
