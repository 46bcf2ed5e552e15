"""Processes, a store, an API and what may go wrong between them: one state of the search, and the steps from it."""

from __future__ import annotations

import copy
import json
from collections.abc import Hashable, Iterator, Sequence

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.documents import Answer, Attempt, Stored, User
from pulumi_openfunnel.ledger.store import Conflict
from pulumi_openfunnel.ledger.turns import Busy

from .decoding import decoded, encoded
from .stepping import DONE, Automaton, Node, Raises, Step
from .terms import CONFLICT, EXISTS, HALF, NEW, NEW_JUDGED, NO_ANSWER, ONE_FOR_ALL, PROBABLY, Budget, Choice, Wrong

_AT_ONCE = frozenset({"current", "end", "works", "hand"})  # calls that no other process can come between


def _down() -> Exception:
    return LedgerUnusable("the ledger", "is down", "Wait.", transient=True)


_DOWN, _CONFLICT = Raises(_down), Raises(Conflict)


class World:
    """One state.

    Args:
        existing: what the API answers for a user that exists.
        processes: by name.
        budget: how often what may go wrong.
        documents: what lies in the store.
        keys: the users that exist, with their keys, by internal email.
    """

    def __init__(
        self,
        existing: str,
        processes: dict[str, Automaton],
        budget: Budget,
        documents: Sequence[Stored] = (),
        keys: dict[str, str] | None = None,
    ) -> None:
        self.existing = existing
        self.automata = processes
        self.left = dict(vars(budget))
        self.documents = {one.name: (encoded(one), "0") for one in documents}
        self.written: dict[str, int] = {}
        self.living: frozenset[str] = frozenset()
        self.late: tuple[
            tuple[str, bytes, str | None], ...
        ] = ()  # writes that were given up, and are on their way still
        self.keys = dict(keys or {})
        self.made: dict[str, int] = {}
        self.excused: dict[str, int] = {}  # requests more than one, by internal email
        self.needless: dict[str, int] = {}  # requests for users whose live key was on the store
        self.missed: frozenset[str] = frozenset()  # processes that were told 409 when the key was on the store
        self.kept: frozenset[tuple[str, str]] = frozenset()  # keys whose answer is on the store, with their end users
        self.states: frozenset[str] = frozenset()  # keys that a state alone holds
        self.handed: dict[str, str] = {}  # the end user by key
        self.overtaken: frozenset[str] = frozenset()  # keys in whose place a request put another that was sent too late
        self.nodes: dict[str, Node] = {}
        for name, automaton in processes.items():
            self._to(name, automaton.start)

    def copy(self) -> World:
        """The same state, to go another way from."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict) and name != "automata":
                setattr(other, name, dict(value))
        return other

    @property
    def state(self) -> Hashable:
        """All that the future depends on, and what is judged at its end."""
        counts = (self.left, self.keys, self.made, self.needless, self.excused, self.handed, self.nodes)
        return (
            frozenset(self.documents.items()),
            self.living,
            self.late,
            self.missed,
            self.kept,
            self.states,
            self.overtaken,
            tuple(frozenset(count.items()) for count in counts),
        )

    # What may happen

    def choices(self) -> list[Choice]:
        """What may happen next."""
        found = [choice for name, node in self.nodes.items() for choice in self._of(name, node)]
        found += [("expires", run) for run in sorted(self.living) if self._may_expire(run)]
        found += [("lands", str(number)) for number in range(len(self.late))]
        return found

    def happen(self, choice: Choice) -> None:
        """Let it happen.

        Raises:
            Wrong: when something is handed over that must not be.
        """
        if choice[0] == "expires":
            self._expire(choice[1])
        elif choice[0] == "lands":
            self._land(int(choice[1]))
        elif choice[1] == "crashes":
            self._crash(choice[0])
        else:
            name, how, *done = choice
            if how in self.left:
                self.left[how] -= 1
            self._go_on(name, self._outcome(self.nodes[name], how, *done))

    def _of(self, name: str, node: Node) -> Iterator[Choice]:
        call = node.step.call
        if call == DONE:
            return
        if call != "wait" or self._is_over(node.step.args[0]):
            yield name, "goes on"
        if self.left["crashes"]:
            yield name, "crashes"
        if call in ("put_new", "put_over"):
            does = self._does(node.step)
            if self.left["lost"] and does:
                yield name, "lost"
            if self.left["failed"]:
                yield name, "failed", "not done"
                if does:
                    yield name, "failed", "done"
                    yield name, "failed", "late"
        if call == "send":
            yield from ((name, how) for how in ("dropped", "cut") if self.left[how])

    def _may_expire(self, run: str) -> bool:
        return not self._is_alive(run) or self.left["stalls"] > 0

    def _is_alive(self, run: str) -> bool:
        """Whether a run's process is there, so that only a stall can have its lease expire."""
        node = self.nodes.get(run.partition(".")[0])
        return node is not None and node.step.call != DONE and bool(node.mind[0] == run)

    def _expire(self, run: str) -> None:
        if self._is_alive(run):
            self.left["stalls"] -= 1
            self._excuse(self.nodes[run.partition(".")[0]])
        self.living -= {run}

    def _crash(self, name: str) -> None:
        node = self.nodes.pop(name)
        self.left["crashes"] -= 1
        if node.step.call == "put_new" and node.step.args[0].startswith("answers/"):
            self._excuse(node)

    def _excuse(self, node: Node) -> None:
        """The answer that a process is about to get, or has got, may not come to be known."""
        users = [decoded(User, name, body) for name, (body, _) in self.documents.items() if name.startswith("users/")]
        for user in users:
            if any(one.id in node.mind[1] for one in user.attempts):
                self.excused[user.internal_email] = self.excused.get(user.internal_email, 0) + 1

    def _is_over(self, busy: Busy) -> bool:
        """Whether somebody who is waited for answered, closed the attempt, or is dead."""
        user = decoded(User, busy.name, self.documents[busy.name][0])
        found: Attempt | None = user.attempt(busy.attempt.id)
        if busy.run not in self.living or found is None or found.state is not busy.attempt.state:
            return True
        answer = self.documents.get(f"answers/{busy.attempt.answer}")
        return answer is not None and decoded(Answer, f"answers/{busy.attempt.answer}", answer[0]).whole

    # Steps

    def _go_on(self, name: str, outcome: Hashable) -> None:
        self._to(name, self.automata[name].after(self.nodes[name], outcome))

    def _to(self, name: str, node: Node) -> None:
        """Let a process be in a state, and do what nobody can come between."""
        self.nodes[name] = node
        if node.step.call == DONE and node.step.args[0] in (EXISTS, PROBABLY) and name in self.missed:
            raise Wrong(f"{name} is told that its user exists, although the key was kept by then")
        if node.step.call in _AT_ONCE:
            self._go_on(name, self._outcome(node, "goes on"))

    def _outcome(self, node: Node, how: str, done: str = "done") -> Hashable:
        step = node.step
        if how == "failed":
            if done == "done":
                self._put(*step.args[:2])
            elif done == "late":
                self.late = (*self.late, (*step.args[:2], step.args[2] if step.call == "put_over" else None))
            if step.args[0].startswith("answers/"):
                self._excuse(node)
            return _DOWN
        if how == "lost":
            self._put(*step.args[:2])
            return _CONFLICT
        if how in ("dropped", "cut"):
            key, email = self._send(step), step.args[0]
            self.excused[email] = self.excused.get(email, 0) + 1
            return NO_ANSWER if how == "dropped" or key is None else HALF
        result: Hashable = getattr(self, f"_{step.call}")(step)
        return result

    def _get(self, step: Step) -> Hashable:
        return self.documents.get(step.args[0])

    def _get_many(self, step: Step) -> Hashable:
        return tuple((name, *self.documents[name]) for name in step.args[0] if name in self.documents)

    def _names(self, step: Step) -> Hashable:
        return tuple(sorted(name for name in self.documents if name.startswith(step.args[0])))

    def _put_new(self, step: Step) -> Hashable:
        return self._put(*step.args[:2]) if self._does(step) else _CONFLICT

    _put_over = _put_new

    def _remove(self, step: Step) -> Hashable:
        self.documents.pop(step.args[0], None)
        return None

    def _current(self, step: Step) -> Hashable:
        if step.args[1:]:
            self.living |= {step.args[0]}
        return step.args[0] in self.living

    _lives = _confirm = _current

    def _end(self, step: Step) -> Hashable:
        self.living -= {step.args[0]}
        return None

    def _wait(self, _step: Step) -> None: ...

    def _works(self, step: Step) -> Hashable:
        return step.args[0] in self.keys.values()

    def _send(self, step: Step) -> Hashable:
        """What the API answers: a key; None for 409."""
        email, name = step.args
        self.missed -= {name}
        if self.is_kept(email):
            self.needless[email] = self.needless.get(email, 0) + 1
            self.missed |= {name}
        if email in self.keys and self.existing not in (NEW, NEW_JUDGED):
            return None if self.existing == CONFLICT else self.keys[email]
        self._replace(name, self.keys.get(email))
        self.made[email] = self.made.get(email, 0) + 1
        self.keys[email] = "of_one" if self.existing == ONE_FOR_ALL else f"of_{email}_{self.made[email]}"
        return self.keys[email]

    def _replace(self, name: str, key: str | None) -> None:
        """Another key takes a user's key's place, which only a process may do that stood still just before its request."""
        if key is not None and self.nodes[name].mind[0] not in self.living:
            self.overtaken |= {key}
        elif self.existing == NEW_JUDGED and key in self.handed.keys() - self.states:
            raise Wrong(f"{key} was handed over, and {name} has another one take its place")

    def is_kept(self, internal_email: str) -> bool:
        """Whether a user's live key is on the store."""
        return any(key == self.keys.get(internal_email) for _, key in self.kept)

    def _hand(self, step: Step) -> Hashable:
        """A key is handed over to an end user."""
        key, email, *kept = step.args
        if kept:
            self.states |= {key}
        elif self.existing == NEW_JUDGED and key not in {*self.keys.values(), *self.overtaken}:
            raise Wrong(f"{key} is handed over, and another one took its place before")
        other = self.handed.setdefault(key, email)
        if other != email:
            raise Wrong(f"{key} was handed to {other} and to {email}")
        return None

    def _does(self, step: Step) -> bool:
        """Whether a write is going to be done."""
        found = self.documents.get(step.args[0])
        return (found[1] if found is not None else None) == (step.args[2] if step.call == "put_over" else None)

    def _put(self, name: str, body: bytes) -> str:
        number = self.written[name] = self.written.get(name, 0) + 1
        self.documents[name] = body, str(number)
        if name.startswith("answers/"):
            bound, _, key = decoded(Answer, name, body).sealed.partition(b"|")
            if decoded(Answer, name, body).whole:
                self.kept |= {(json.loads(bound)[3], key.decode())}
        return str(number)

    def _land(self, number: int) -> None:
        name, body, over = self.late[number]
        self.late = self.late[:number] + self.late[number + 1 :]
        found = self.documents.get(name)
        if (found[1] if found is not None else None) == over:
            self._put(name, body)

    # At the end

    def then(self, name: str, automaton: Automaton) -> object:
        """What another process comes to, later: every lease has expired, and nothing goes wrong any more.

        Raises:
            Wrong: when it has to wait, or anything is handed over that must not be.
        """
        self.living = frozenset()
        self.left = dict.fromkeys(self.left, 0)
        self.automata = self.automata | {name: automaton}
        self._to(name, automaton.start)
        while (step := self.nodes[name].step).call != DONE:
            if step.call == "wait" and not self._is_over(step.args[0]):
                raise Wrong(f"{name} waits for {step.args[0].run}, which is dead")
            self._go_on(name, self._outcome(self.nodes[name], "goes on"))
        return self.nodes.pop(name).step.args[0]
