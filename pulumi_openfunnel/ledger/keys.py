"""A key's life in the ledger: claimed, doubted, dead, or brought by the program."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from . import changes
from .archive import Seen
from .base import Again, Base, give_up
from .documents import Attempt, Claim, Identity, State, User, answer_name, key_name
from .sealing import Seal
from .turns import Asked, Busy, Entry, Kept, Taken


class Keys(Base):
    """The rules of keys whose user stays."""

    # An answer that was looked at

    def claim(self, entry: Entry, api_key: str, again: Again = give_up) -> Taken | None:
        """The answer was believed: its key becomes the user's, before it is handed out.

        Args:
            entry: the attempt whose answer it is.
            api_key: its key.
            again: is asked before a write is repeated.

        Returns:
            None; or who has the key, or the internal email, already: then it is not to be handed out.
        """
        if isinstance(entry, Asked):
            taken = self.insist(lambda: self._relisted(entry, key_name(api_key)), again)
            if taken is not None:
                return taken
        emails, known = (entry.identity.email,), isinstance(entry, Kept)
        taken = self.insist(lambda: self.take_key(entry.identity, entry.attempt, api_key, emails, known=known), again)
        if taken is None and isinstance(entry, Kept) and entry.left:
            self.insist(lambda: self.archive.change(User(name=entry.identity.name), changes.back), again)
        return taken

    def doubt(self, entry: Entry, problem: str, again: Again = give_up) -> None:
        """The answer is not believed: it stays, is shown, and is never used."""
        self.settle(entry, State.UNUSED, problem, again)

    def bury(self, entry: Entry, api_key: str, problem: str) -> None:
        """The key works no more."""
        key, now = key_name(api_key), self.clock()
        blank = User(name=entry.identity.name)
        self.archive.change(blank, lambda user: changes.died(user, entry.attempt, key, problem, now))

    # A key that the program brings

    def adopt(
        self, identity: Identity, api_key: str, body: bytes, seal: Seal | None, moved_from: str | None = None
    ) -> Taken | Busy | None:
        """A key that the program brought, or one that now stands for another address of its end user.

        Args:
            identity: whose it is.
            api_key: the key.
            body: an answer that holds it.
            seal: what to seal it under; None: it is only looked at whose the key is.
            moved_from: the end user's address before.

        Returns:
            None; or who has the user or the key, or is asking for the user: then nothing was changed.
        """
        if seal is None:
            self.check_place()
        else:
            self.begun()
        emails = (identity.email, moved_from or identity.email)
        seen = self.archive.read(User, identity.name)
        before = seen.document if seen is not None else User(name=identity.name)
        if changes.is_anothers(before, *emails):
            return Taken(before)
        busy = self.at_it(before)
        if busy is not None:
            return busy
        claim = self.archive.read(Claim, key_name(api_key))
        taken = self.anothers(claim.document, identity, emails) if claim is not None else None
        if taken is not None or seal is None:
            return taken
        holder = before.attempt(dict(claim.document.holders).get(identity.name, "")) if claim is not None else None
        return self._bring(identity, api_key, self.copied(identity, body, seal), seen, holder, emails)

    def _bring(  # noqa: PLR0917 - what adopt has found out
        self,
        identity: Identity,
        api_key: str,
        attempt: Attempt,
        seen: Seen[User] | None,
        holder: Attempt | None,
        emails: tuple[str, ...],
    ) -> Taken | Busy | None:
        """List an attempt whose answer is kept, in the place of the one that held the same key; then claim the key."""
        known = {one.id for one in seen.document.attempts} if seen is not None else set()

        def decide(user: User) -> User | Taken | Busy:
            opened = [one for one in user.attempts if one.state is State.OPEN and one.id not in known]
            if changes.is_anothers(user, *emails):
                return Taken(user)
            if opened:
                return Busy(user.name, opened[0])
            return changes.brought(
                user, identity, attempt, key_name(api_key), holder.id if holder is not None else None
            )

        decided = cast("User | Taken | Busy", self.archive.change(User(name=identity.name), decide, seen))
        if not isinstance(decided, User):
            self.archive.remove(answer_name(attempt.answer))
            return decided
        mine = next(one for one in decided.attempts if one.answer == attempt.answer)
        taken = self.take_key(identity, mine.id, api_key, emails, known=True)
        if taken is not None:
            self.settle(Entry(identity=identity, attempt=mine.id), State.UNUSED, changes.SHARED)
            return taken
        if holder is not None:
            self.archive.remove(answer_name(holder.answer))
        self._supersede(decided, mine.id)
        return None

    def copied(self, identity: Identity, body: bytes, seal: Seal) -> Attempt:
        """An attempt without a request, whose answer is kept, and that no document lists yet."""
        attempt = self.new_attempt(identity, State.KEPT, self.begun())
        self.archive.write(self.new_answer(attempt.answer, identity, body, seal), None)
        return attempt

    def _supersede(self, user: User, id: str) -> None:
        """The answers beside a key that was brought are not used any more."""
        if len(user.usable) > 1:
            answers, now = self.answers(user), self.clock()
            self.archive.change(User(name=user.name), lambda found: changes.superseded(found, id, answers, now))

    def _relisted(self, asked: Asked, key: str) -> Taken | None:
        """After a stall, see that the attempt is listed still; and a key that was taken for dead, as it was answered.

        The document is written also where nothing in it changes: whoever found the run dead, and is about to ask, has to read
        again then, and finds the answer.
        """
        if not self.lapsed(asked) and key not in asked.dead:
            return None
        blank = User(name=asked.identity.name)
        user = self.archive.change(
            blank, lambda found: replace(changes.relisted(found, asked.made, asked.identity, key))
        )
        return Taken(user) if changes.is_anothers(user, asked.identity.email) else None
