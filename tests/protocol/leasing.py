"""Leases between two processes and a clock that goes on whenever it likes: a second, smaller world for the search."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Hashable, Sequence

from pulumi_openfunnel.ledger.leases import LEASE, Leases
from pulumi_openfunnel.ledger.store import Conflict, Document

from .stepping import DONE, Automaton, Node, Process, Raises, take
from .terms import Choice, Wrong

PASSES = (6, 35, 61)  # seconds that go by between two steps
RUN = "owner-1"


class LeaseStore:
    """The store as a process sees it."""

    place = "the ledger"

    def get(self, name: str) -> Document | None:
        found = take("get", name)
        return None if found is None else Document(*found)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return {name: found for name in names if (found := self.get(name)) is not None}

    def put_new(self, name: str, body: bytes) -> str:
        version = str(take("put_new", name, body))
        take("reply")  # time may go by before it comes
        return version

    def put_over(self, name: str, body: bytes, version: str) -> str:
        written = str(take("put_over", name, body, version))
        take("reply")
        return written

    def remove(self, name: str) -> None:
        take("remove", name)

    def names(self, prefix: str) -> list[str]:
        del prefix
        return []

    def close(self) -> None: ...


class LeaseMemory:
    """What a process has in its memory: its leases."""

    def __init__(self, process: str, leases: type[Leases] = Leases) -> None:
        numbers = itertools.count(1)
        self.leases = leases(
            LeaseStore(),
            lambda: f"{process}-{next(numbers)}",
            lambda: (float(take("clock")),),
            lambda _work, _first: lambda: None,
        )
        self.leases._conditions_hold = self.leases._swept = True  # which is not what this is about

    def state(self) -> Hashable:
        leases = self.leases
        return leases._own, leases._renewed, frozenset(leases._over), frozenset(leases._seen.items())


def owner(process: Process) -> object:
    """A run that renews its lease, and is about to send requests."""
    leases = process.mind.leases
    run = leases.current()
    for number in range(2):
        process.at("tick", number)
        leases.tick()
        process.at("confirm", number)
        take("confirms")
        take("confirmed", leases.confirm(run))
    return run


def other(process: Process) -> object:
    """Another process that looks whether the run lives."""
    leases = process.mind.leases
    take("waits")
    leases.current()
    for number in range(2):
        process.at("look", number)
        take("looked", leases.lives(RUN))
    return None


class LeaseWorld:
    """One state: two processes, their run documents, and the time.

    Args:
        processes: by name.
        passes: how often time goes by.
    """

    def __init__(self, processes: dict[str, Automaton], passes: int) -> None:
        self.automata = processes
        self.left = passes
        self.time = 1000
        self.documents: dict[str, tuple[bytes, str, float]] = {}
        self.written: dict[str, int] = {}
        self.dead = False  # whether the other process took the run for dead
        self.warned = False  # whether it had, when the owner began to confirm
        self.nodes: dict[str, Node] = {}
        for name, automaton in processes.items():
            self._to(name, automaton.start)

    def copy(self) -> LeaseWorld:
        """The same state, to go another way from."""
        other = copy.copy(self)
        other.documents, other.written, other.nodes = dict(self.documents), dict(self.written), dict(self.nodes)
        return other

    @property
    def state(self) -> Hashable:
        """All that the future depends on."""
        parts = self.documents, self.written, self.nodes
        return self.time, self.left, self.dead, self.warned, tuple(frozenset(part.items()) for part in parts)

    def choices(self) -> list[Choice]:
        """What may happen next."""
        found: list[Choice] = [(name, "goes on") for name, node in self.nodes.items() if self._may_go_on(node)]
        if found and self.left:
            found += [("passes", str(seconds)) for seconds in PASSES]
        if "owner" in self.nodes and self.nodes["owner"].step.call != DONE:
            found.append(("owner", "crashes"))
        return found

    def happen(self, choice: Choice) -> None:
        """Let it happen.

        Raises:
            Wrong: when the owner takes itself for alive that another one took for dead.
        """
        if choice[0] == "passes":
            self.time, self.left = self.time + int(choice[1]), self.left - 1
        elif choice[1] == "crashes":
            del self.nodes[choice[0]]
        else:
            self._go_on(choice[0])

    def _may_go_on(self, node: Node) -> bool:
        """Whether a process is not at its end, and does not wait for the run to be announced."""
        return node.step.call != DONE and (node.step.call != "waits" or f"runs/{RUN}" in self.written)

    def _go_on(self, name: str) -> None:
        outcome = self._outcome(self.nodes[name])
        self._to(name, self.automata[name].after(self.nodes[name], outcome))

    def _to(self, name: str, node: Node) -> None:
        self.nodes[name] = node
        if node.step.call in ("clock", "confirms", "confirmed", "looked"):
            self._go_on(name)

    def _outcome(self, node: Node) -> Hashable:
        call, args = node.step.call, node.step.args
        if call == "clock":
            return self.time
        if call == "confirms":
            self.warned = self.dead
        elif call == "confirmed" and args[0] and self.warned:
            raise Wrong("the run takes itself for alive, although another one took it for dead before")
        elif call == "looked":
            self.dead = self.dead or not args[0]
        elif call == "get":
            return self.documents.get(args[0])
        elif call == "remove":
            self.documents.pop(args[0], None)
        elif call in ("put_new", "put_over"):
            return self._put(*args)
        return None

    def _put(self, name: str, body: bytes, over: str | None = None) -> Hashable:
        found = self.documents.get(name)
        if (found[1] if found is not None else None) != over:
            return Raises(Conflict)
        number = self.written[name] = self.written.get(name, 0) + 1
        self.documents[name] = body, str(number), float(self.time)
        return str(number)


def leasing(passes: int, leases: type[Leases] = Leases) -> Callable[[], LeaseWorld]:
    """The first state."""

    def memory(process: str) -> LeaseMemory:
        return LeaseMemory(process, leases)

    return lambda: LeaseWorld(
        {"owner": Automaton("owner", owner, memory), "other": Automaton("other", other, memory)}, passes
    )


def nobody_waits(world: LeaseWorld) -> None:
    """Once nothing more happens and a lease's time has passed, the run is dead to everybody.

    Raises:
        Wrong: when it lives.
    """
    found = world.documents.get(f"runs/{RUN}")
    world.time += int(LEASE) + 1
    look = Automaton("third", lambda process: process.mind.leases.lives(RUN), LeaseMemory)
    world.automata = world.automata | {"third": look}
    world._to("third", look.start)
    while world.nodes["third"].step.call != DONE:
        world._go_on("third")
    if world.nodes["third"].step.args[0]:
        raise Wrong(f"the run lives for ever: {found}")
