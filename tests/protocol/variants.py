"""The protocol, broken on purpose: each variant breaks one rule, so that the search is seen to find what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from pulumi_openfunnel.ledger import changes, documents
from pulumi_openfunnel.ledger.archive import Seen
from pulumi_openfunnel.ledger.base import Again, give_up
from pulumi_openfunnel.ledger.documents import (
    Answer,
    Attempt,
    Claim,
    Identity,
    State,
    User,
    fingerprint,
    key_name,
)
from pulumi_openfunnel.ledger.leases import Leases
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.store import Conflict
from pulumi_openfunnel.ledger.turns import Asked, Busy, Entry, Holds, Nothing, Taken

from .decoding import encoded
from .seams import SteppedOwners
from .stepping import take


class LateAnswersHandedOver(Ledger):
    """An answer is handed over by whoever asked, also by a run that lapsed on the way."""

    def lapsed(self, asked: Asked) -> bool:
        del asked
        return False


class OneRow(LateAnswersHandedOver):
    """Each user has one place for an answer, as a row has, and the last answer to come is written over it, and handed over."""

    def new_attempt(self, identity: Identity, state: State, run: str) -> Attempt:
        made = super().new_attempt(identity, state, run)
        return replace(made, answer=identity.name.partition("/")[2])

    def answered(self, asked: Asked, body: bytes, seal: Seal, *, whole: bool = True, again: Again = give_up) -> None:
        del again
        answer = self.new_answer(asked.made.answer, asked.identity, body, seal, whole=whole)
        self.archive.change(answer, lambda before: replace(answer, nonce=before.nonce + "+"))


class RelistedInSilence(Ledger):
    """A run that lapsed leaves the user's document as it is, so that nobody who is about to ask notices its answer."""

    def _relisted(self, asked: Asked, key: str) -> Taken | None:
        del asked, key
        return None


class OneAnswerIsEnough(Ledger):
    """Where there is an answer, nobody waits for a newer one."""

    def _turn(
        self, user: User, identity: Identity, mine: str | None = None
    ) -> tuple[Taken | Holds | Busy | None, dict[str, Answer]]:
        answers = self.answers(user)
        turn = changes.turn(user, identity, answers)
        return (turn, answers) if turn is not None else super()._turn(user, identity, mine)


class DeferredIssue(Ledger):
    """An answer counts once a fourth write says that its key was issued."""

    def claim(self, entry: Entry, api_key: str, again: Again = give_up) -> Taken | None:
        taken = super().claim(entry, api_key, again)
        if taken is None and isinstance(entry, Asked):
            self.settle(entry, State.KEPT, None)
        return taken


class AddressInClaim(Ledger):
    """A claim says whose key it is by the end user's address, instead of naming a document that knows."""

    def take_key(
        self, identity: Identity, attempt: str, api_key: str, emails: Iterable[str], *, known: bool
    ) -> Taken | None:
        del known
        name = key_name(api_key)
        while True:
            seen = self.archive.read(Claim, name)
            if seen is not None and seen.document.fingerprint not in ("", *emails):
                return Taken(User(name=identity.name, email=seen.document.fingerprint))
            mine = Claim(name=name, fingerprint=identity.email, holders=((identity.name, attempt),))
            try:
                self.archive.write(mine, seen.version if seen is not None else None)
            except Conflict:
                continue
            return None


class ClaimFirst(Ledger):
    """A key is claimed before the user's document lists the attempt that brought it."""

    def _bring(
        self,
        identity: Identity,
        api_key: str,
        attempt: Attempt,
        seen: Seen[User] | None,
        holder: Attempt | None,
        emails: tuple[str, ...],
    ) -> Taken | Busy | None:
        del seen, holder
        taken = self.take_key(identity, attempt.id, api_key, emails, known=True)
        if taken is None:
            blank = User(name=identity.name)
            self.archive.change(blank, lambda user: changes.brought(user, identity, attempt, key_name(api_key), None))
        return taken


class AnotherAttempt(Ledger):
    """A key that is brought again gets another attempt, in place of the one that its claim names."""

    def _bring(
        self,
        identity: Identity,
        api_key: str,
        attempt: Attempt,
        seen: Seen[User] | None,
        holder: Attempt | None,
        emails: tuple[str, ...],
    ) -> Taken | Busy | None:
        def decide(user: User) -> User:
            listed = changes.brought(user, identity, attempt, key_name(api_key), None)
            return replace(listed, attempts=tuple(one for one in listed.attempts if one != holder))

        self.archive.change(User(name=identity.name), decide, seen)
        return self.take_key(identity, attempt.id, api_key, emails, known=True)


class OwnClaimAsItIs(Ledger):
    """A claim that names one's own document is left as it is."""

    def take_key(
        self, identity: Identity, attempt: str, api_key: str, emails: Iterable[str], *, known: bool
    ) -> Taken | None:
        seen = self.archive.read(Claim, key_name(api_key))
        if seen is not None and dict(seen.document.holders).get(identity.name):
            return None
        return super().take_key(identity, attempt, api_key, emails, known=known)


class StaleClaimsTakenBlindly(Ledger):
    """A stale claim is removed and a new one put in its place, instead of one compare-and-swap."""

    def take_key(
        self, identity: Identity, attempt: str, api_key: str, emails: Iterable[str], *, known: bool
    ) -> Taken | None:
        seen = self.archive.read(Claim, key_name(api_key))
        if seen is not None:
            if self.anothers(seen.document, identity, emails) is not None:
                return self.anothers(seen.document, identity, emails)
            self.archive.remove(seen.document.name)
        return super().take_key(identity, attempt, api_key, emails, known=known)


class NoSecondLook(Ledger):
    """A 409 is an error at once."""

    def look_again(self, asked: Asked) -> Holds | Busy | Taken | Nothing:
        return Nothing(asked.lost_before, unused=False)


class AnswersBeforeRuns(Ledger):
    """The answers are read before it is looked whether their runs live, and not again."""

    def _turn(
        self, user: User, identity: Identity, mine: str | None = None
    ) -> tuple[Taken | Holds | Busy | None, dict[str, Answer]]:
        answers = self.answers(user)
        turn = changes.turn(user, identity, answers)
        if turn is not None:
            return turn, answers
        busy = next((one for one in changes.newer(user, answers) if one.id != mine and self.is_busy(one)), None)
        return (Busy(user.name, busy) if busy is not None else None), answers


class OwnAnswerAlone(Ledger):
    """Only the newest attempt's answer is read."""

    def answers(self, user: User) -> dict[str, Answer]:
        return super().answers(replace(user, attempts=user.attempts[-1:]))


class ConflictBelieved(Ledger):
    """A conflict is believed without a read: the writer takes its own write for somebody else's."""

    def take_key(
        self, identity: Identity, attempt: str, api_key: str, emails: Iterable[str], *, known: bool
    ) -> Taken | None:
        del known, emails
        mine = Claim(name=key_name(api_key), fingerprint=fingerprint(api_key), holders=((identity.name, attempt),))
        try:
            self.archive.store.put_new(mine.name, encoded(mine))
        except Conflict:
            return Taken(self.user(identity.name))
        return None


class RenewsFirst(Leases):
    """The same of the leases themselves: it renews whatever time went by, and counts from there."""

    def _renew(self) -> None:
        if self._own is not None:
            self._over.discard(self._own.document.name.removeprefix("runs/"))
            before = self._now()
            self._own, self._renewed = self._archive.write(self._own.document, self._own.version), before


class CountsFromTheReply(Leases):
    """The age of a lease counts from the reply to its renewal, instead of from before it was sent."""

    def _renew(self) -> None:
        super()._renew()
        self._renewed = self._now()


class WakesAndRenews(SteppedOwners):
    """A process that wakes renews its lease first, and so takes itself for alive."""

    def confirm(self, run: str) -> bool:
        return bool(take("confirm", run, "renewed"))


@contextmanager
def only_issued_counts() -> Iterator[None]:
    """For DeferredIssue: an attempt that is open holds no key."""
    with patch.object(documents, "USABLE", frozenset({State.KEPT})):
        yield
