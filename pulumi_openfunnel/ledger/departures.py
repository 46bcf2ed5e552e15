"""Keys that leave their stack: they wait in the ledger, so that the same user brings them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from . import changes
from .documents import Answer, Attempt, Claim, Identity, State, User, answer_name, key_name
from .keys import Keys
from .sealing import Seal
from .turns import Entry


@dataclass(frozen=True)
class Leaving:
    """A key that leaves its stack.

    Attributes:
        internal_email, email: whose it is.
        api_key: the key; not shown by ``repr``.
        body: an answer that holds it, as the state knows it; not shown either.
        revoked: whether it was seen revoked.
    """

    internal_email: str
    email: str
    api_key: str = field(repr=False)
    body: bytes = field(repr=False)
    revoked: bool


class Departures(Keys):
    """The rules of keys whose user leaves."""

    def release(self, leaving: Leaving, identity: Identity | None = None, seals: Sequence[Seal] = ()) -> bool:
        """Keep a key that leaves its stack, to wait here or as a dead one.

        The ledger's copy is found by the key's claim, so that nothing but the key has to be known. Where it is sealed
        under a key that is not at hand, the state's copy takes its place.

        Args:
            leaving: the key, and whose it is.
            identity: whose it is, where the settings are known; without it only a key that is here is kept.
            seals: those at hand, the one to seal with first.

        Returns:
            Whether the ledger holds the key.
        """
        claim = self.archive.read(Claim, key_name(leaving.api_key))
        holders = claim.document.holders if claim is not None else ()
        users = self.users(holder for holder, _ in holders)
        held = [
            (user, attempt)
            for holder, id in holders
            if (user := users.get(holder)) is not None
            and user.internal_email == leaving.internal_email
            and (attempt := user.attempt(id)) is not None
        ]
        if held:
            self.begun()
        for user, attempt in held:
            # Another orchestrator's key at hand does not take the place of the one that the copy is sealed under.
            ours = identity is not None and identity.is_of_domain
            self._go(user, attempt, leaving, seals if ours else ())
        if held or identity is None or not seals:
            return bool(held)
        self._keep(identity, leaving, seals[0])
        return True

    def _go(self, user: User, attempt: Attempt, leaving: Leaving, seals: Sequence[Seal]) -> None:
        """Mark a key that the ledger holds; under an address that its user had before, only as a dead one."""
        blank, key, now = User(name=user.name), key_name(leaving.api_key), self.clock()
        if leaving.revoked:
            self.archive.change(blank, lambda found: _seen_dead(found, attempt.id, key, now))
        elif user.email == leaving.email:
            copy = self._copy_at_hand(user, attempt, leaving, seals)
            copies = {attempt.answer: copy} if copy is not None else {}
            self.archive.change(
                blank, lambda found: changes.gone(changes.resealed(found, copies, now), attempt.id, now)
            )
            if copy is not None:
                self.archive.remove(answer_name(attempt.answer))

    def _copy_at_hand(self, user: User, attempt: Attempt, leaving: Leaving, seals: Sequence[Seal]) -> str | None:
        """The id of the state's copy, written where the ledger's does not open with what is at hand."""
        found = self.archive.read(Answer, answer_name(attempt.answer))
        if not seals or (found is not None and found.document.key_id in [seal.key_id for seal in seals]):
            return None
        id = self.archive.fresh()
        self.archive.write(self.new_answer(id, user.identity(attempt), leaving.body, seals[0]), None)
        return id

    def _keep(self, identity: Identity, leaving: Leaving, seal: Seal) -> None:
        """Take in a key that only a state held."""
        attempt = self.copied(identity, leaving.body, seal)
        if leaving.revoked:
            attempt = replace(attempt, state=State.DEAD, problem=changes.SEEN_REVOKED)
        answers = self.answers(self.user(identity.name))
        decided = self.archive.change(
            User(name=identity.name), lambda user: changes.kept_aside(user, identity, attempt, answers)
        )
        listed = decided.attempt(attempt.id)
        if listed is None or listed.state is not State.KEPT:
            return
        taken = self.take_key(identity, attempt.id, leaving.api_key, (identity.email,), known=True)
        if taken is not None:
            self.settle(Entry(identity=identity, attempt=attempt.id), State.UNUSED, changes.SHARED)


def _seen_dead(user: User, id: str, key: str, now: float) -> User:
    return user if key in user.dead else changes.died(user, id, key, changes.SEEN_REVOKED, now)
