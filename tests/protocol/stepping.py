"""Processes that stop before each call that leaves them, so that a search can let them go on in any order.

The code that runs is the product's own, as it is: a greenlet gives up control within a call of the store, of the
owners or of the API, and goes on with what that call returns or raises. What a process does next rests on what it
heard alone, so each of its states is run once, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet

DONE = "done"


@dataclass(frozen=True)
class Step:
    """What a process is about to do.

    Attributes:
        call: such as ``"put_new"``, ``"send"`` or ``"done"``.
        args: what with.
    """

    call: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Raises:
    """An outcome of a step that is an exception, which is made anew each time."""

    make: Callable[[], Exception]


class Process:
    """What a script works with.

    Attributes:
        name: tells processes apart.
        mind: what it knows beside its place in its script; its ``state()`` is all of that.
    """

    def __init__(self, name: str, mind: Any) -> None:
        self.name = name
        self.mind = mind
        self.heard: tuple[Any, ...] = ()
        self.place: tuple[Any, ...] = ()

    def at(self, *place: Any) -> None:
        """Say all that the script knows, so that states that differ only in how they came about are one."""
        self.place, self.heard = place, ()


@dataclass(eq=False)
class Node:
    """One state of a process. It is compared by identity, because each state is there once.

    Attributes:
        step: what it is about to do.
        history: what its steps gave, one way to get here.
        mind: what it knows beside its place in its script.
        waiting: a process in this state that can go on, with its greenlet.
        after: the states after it, by what its step gives.
    """

    step: Step
    history: tuple[Any, ...]
    mind: Any
    waiting: tuple[Process, greenlet] | None
    after: dict[Any, Node] = field(default_factory=dict)


class Automaton:
    """A script as the states that it can be in.

    Args:
        name: the process's.
        script: what it does.
        mind: makes what it knows at its start.
    """

    def __init__(self, name: str, script: Callable[[Any], object], mind: Callable[[str], Any]) -> None:
        self._name = name
        self._script = script
        self._mind = mind
        self._nodes: dict[Hashable, Node] = {}
        self.start = self._run(())

    def after(self, node: Node, outcome: Hashable) -> Node:
        """The state after a step gave something."""
        found = node.after.get(outcome)
        if found is None:
            found = node.after[outcome] = self._heard(node, outcome)
        return found

    def _heard(self, node: Node, outcome: Hashable) -> Node:
        """Let a process hear an outcome; one that waits in that state goes on, else another one is brought there."""
        history = *node.history, outcome
        if node.waiting is None:
            return self._run(history)
        process, running = node.waiting
        node.waiting = None
        return self._node(_go_on(process, running, outcome), history, process, running)

    def _run(self, history: tuple[Any, ...]) -> Node:
        process = Process(self._name, self._mind(self._name))
        running = greenlet(lambda: Step(DONE, (self._script(process),)))
        step: Step = running.switch()
        for outcome in history:
            step = _go_on(process, running, outcome)
        return self._node(step, history, process, running)

    def _node(self, step: Step, history: tuple[Any, ...], process: Process, running: greenlet) -> Node:
        mind = process.mind.state()
        state = step, process.place, process.heard, mind
        return self._nodes.setdefault(state, Node(step, history, mind, (process, running)))


def _go_on(process: Process, running: greenlet, outcome: Any) -> Step:
    process.heard = (*process.heard, outcome)
    step: Step = running.throw(outcome.make()) if isinstance(outcome, Raises) else running.switch(outcome)
    return step


def take(call: str, *args: Any) -> Any:
    """Within a script: stop before a call, and return what it gives."""
    searching = getcurrent().parent
    if searching is None:
        raise AssertionError("no search runs this")
    return searching.switch(Step(call, args))
