"""The ledger's rules: a write-ahead record of one-time keys, whatever store its documents lie in.

A user's attempt is on the store before a request goes out, its answer before it is looked at, and the key's claim
before the key is handed out: three writes, each to a name of its own. So whatever dies, and whenever: a key whose
answer came is found again, and a request whose answer is not known is remembered as such.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import LedgerUnusable
from . import changes
from .archive import Seen
from .base import Again, give_up
from .departures import Departures
from .documents import Answer, Attempt, Identity, State, User
from .sealing import Seal
from .store import Conflict
from .turns import Asked, Busy, Holds, Nothing, Taken


class Ledger(Departures):
    """The rules over one store. Safe to share between threads; no lock is held while the store is called.

    Every method raises LedgerUnusable, in one line, when a document cannot be read or written.
    """

    # Before a request

    def look(self, identities: Iterable[Identity]) -> dict[Identity, Taken]:
        """The users that a request would be refused for, of many that are read at once; nothing is written."""
        wanted = list(identities)
        self.check_place()
        found = self.users(identity.name for identity in wanted)
        return {
            identity: Taken(user)
            for identity in wanted
            if (user := found.get(identity.name)) is not None and changes.is_anothers(user, identity.email)
        }

    def begin(self, identity: Identity) -> Asked | Holds | Busy | Taken:
        """Write down that a user is going to be asked for, unless the ledger knows better.

        Most users are new, so that the write comes first, and tells when there is something to read.

        Returns:
            The attempt, which is the caller's; or answers to try; or who else is at it; or whose user it is.
        """
        run = self.begun()
        seen: Seen[User] | None = None
        while True:
            user = seen.document if seen is not None else User(name=identity.name)
            turn, answers = self._turn(user, identity)
            if turn is not None:
                return turn
            made = self.new_attempt(identity, State.OPEN, run)
            opened = changes.opened(user, identity, made, answers)
            done, seen = self._offer(opened, made, seen.version if seen is not None else None)
            if done:
                return _asked(user, identity, made)

    def sending(self, asked: Asked) -> bool:
        """Immediately before each request: whether it may go out.

        If not, the run lapsed, and others may be at its users: close the attempt and begin again.
        """
        return self.owners.confirm(asked.run)

    def anew(self, asked: Asked) -> Asked | None:
        """Before a request that repeats one whose answer was cut off: its place is taken, so that it gets another one.

        Returns:
            The attempt to go on with; None when this one is not open any more: begin again.
        """
        made = self.new_attempt(asked.identity, State.OPEN, asked.run)

        def decide(user: User) -> User | None:
            mine = user.attempt(asked.attempt)
            if mine is None or mine.state is not State.OPEN:
                return None
            cut_off = changes.settled(user, mine.id, State.UNUSED, changes.CUT_OFF, made.created)
            return changes.opened(cut_off, asked.identity, made)

        self._mine.add(made.id)
        decided: User | None = None
        try:
            decided = self.archive.change(User(name=asked.identity.name), decide)
        finally:
            self._mine.discard(asked.attempt if decided is not None else made.id)
        return None if decided is None else _asked(decided, asked.identity, made)

    # After it

    def answered(self, asked: Asked, body: bytes, seal: Seal, *, whole: bool = True, again: Again = give_up) -> None:
        """Keep the body of a 2xx, sealed, before anything of it is looked at.

        Args:
            asked: the attempt.
            body: as much of it as came.
            seal: what to seal it under.
            whole: whether it came to its end.
            again: is asked before the write is repeated.
        """
        answer = self.new_answer(asked.attempt, asked.identity, body, seal, whole=whole)
        try:
            self.insist(lambda: self.archive.write(answer, None), again)
        except Conflict:
            problem = f"holds another answer in the place of {answer.name}"
        else:
            return
        raise LedgerUnusable(self.place, problem, "Nothing was changed.")

    def look_again(self, asked: Asked) -> Holds | Busy | Taken | Nothing:
        """After an answer that says that the user exists: whether another run has its key, or is about to.

        Returns:
            Answers to try; who is at it, to be waited for; whose user it is; or what is known of lost answers.
        """
        user = self.user(asked.identity.name)
        turn, _ = self._turn(user, asked.identity, asked.attempt)
        if turn is not None:
            return turn
        before = [one for one in user.attempts if one.id != asked.attempt]
        return Nothing(changes.is_lost(before), any(one.state is State.UNUSED for one in before))

    def leave(self, asked: Asked, *, lost: bool, problem: str | None = None, again: Again = give_up) -> None:
        """Stop asking, without an answer to keep.

        Args:
            asked: the attempt.
            lost: whether one of its requests may have created the user.
            problem: why nothing was created, if OpenFunnel said so.
            again: is asked before the write is repeated.
        """
        state = State.LOST if lost else State.CLOSED
        self.settle(asked, state, None if lost else problem, again)

    def let_go(self, asked: Asked) -> None:
        """This process is not at the attempt any more, whatever could be written of it."""
        self._mine.discard(asked.attempt)

    def _turn(
        self, user: User, identity: Identity, mine: str | None = None
    ) -> tuple[Taken | Holds | Busy | None, dict[str, Answer]]:
        """What stands in the way of asking for a user, if anything does; and the answers that are there.

        A run may answer and end between two looks: so where one that was at the user is dead, the answers are looked at
        again, because only then it writes no more.
        """
        answers = self.answers(user)
        turn = changes.turn(user, identity, answers)
        if isinstance(turn, Taken):
            return turn, answers
        others = [one for one in changes.newer(user, answers) if one.id != mine]
        busy = next(filter(self.is_busy, others), None)
        if busy is not None:
            return Busy(user.name, busy), answers
        if others:
            answers = self.answers(user)
            turn = changes.turn(user, identity, answers)
        return turn, answers

    def _offer(self, user: User, made: Attempt, over: str | None) -> tuple[bool, Seen[User] | None]:
        """Write a document with an attempt of this process's, which is at it from just before."""
        self._mine.add(made.id)
        done = False
        try:
            done, seen = self.archive.offer(user, over)
        finally:
            if not done:
                self._mine.discard(made.id)
        return done, seen


def _asked(before: User, identity: Identity, made: Attempt) -> Asked:
    others = [one for one in before.attempts if one.id != made.id]
    return Asked(
        identity=identity,
        attempt=made.id,
        dead=frozenset(before.dead),
        made=made,
        lost_before=changes.is_lost(others),
    )
