"""Ratios that the package is to keep: each of two things that are measured side by side, run after run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from pulumi_openfunnel.schema import SHARDS

from .measure import Bench
from .report import Conditions, table
from .rows import EMPTY, FLOOR, LEANEST, ONE, SAME, SKIPPED, USER, USERS, Row
from .stack import PREVIEW, Stack

_WHAT = f"""\
Each line compares two things that are run one after the other, several times; the ratio is the median of those runs' ratios, with
the least and the largest beside it. The first `up` has a stack of its own each time. A no-op `preview` and the `up` that adds a
user are run again and again on the same two stacks. *At once* means that the API answers without a delay, so that all that
is measured is ours and the engine's. A roster is {SHARDS + 2} resources whatever its size, and what so many resources of the leanest
provider take is what the engine and the SDK take for them. *32 bare threads* is a script that asks for the same users with httpx, and keeps nothing."""


class Thing(NamedTuple):
    """One side of a pair: a row, and the users that it has."""

    row: Row
    size: int


@dataclass(frozen=True)
class Pair:
    """Two things that are compared.

    Attributes:
        title: what is compared, with the verb.
        verb: ``up``, ``preview`` or ``add``.
        above: what is compared.
        below: what it is compared with; their seconds are added.
        goal: the ratio that the package aims at; None for what tells how far that is possible.
        times: the runs of each.
        at_once: whether the API answers without its latency.
    """

    title: str
    verb: str
    above: Thing
    below: tuple[Thing, ...]
    goal: float | None
    times: int
    at_once: bool = False


@dataclass(frozen=True)
class Compared:
    """What a pair's runs took.

    Attributes:
        title, goal: the pair's.
        above: seconds of each run.
        below: seconds of what it is compared with, in the same order.
    """

    title: str
    goal: float | None
    above: tuple[float, ...]
    below: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Those of the runs, sorted."""
        return sorted(above / below for above, below in zip(self.above, self.below, strict=True))


def pairs(thousand: int, repeat: int) -> list[Pair]:
    """All of them.

    Args:
        thousand: the size that pages call 1,000; a smaller one tries the benchmark itself.
        repeat: how many times the runs of each are made.
    """
    roster, many, single = Thing(USERS, thousand), Thing(USERS, 20 * thousand), Thing(USER, thousand)
    of, of_many = f"{thousand:,}", f"{20 * thousand:,}"
    return [
        Pair(
            f"`up` of a roster of {of} / 32 bare threads and an empty `up`",
            "up",
            roster,
            (Thing(FLOOR, thousand), Thing(EMPTY, 0)),
            1.2,
            5 * repeat,
        ),
        Pair(
            f"`preview` of a roster of {of} / of one resource of the leanest provider",
            "preview",
            roster,
            (Thing(ONE, 1),),
            1.15,
            9 * repeat,
        ),
        Pair(
            f"`preview` of {SHARDS + 2} resources of the leanest provider / of one",
            "preview",
            Thing(LEANEST, SHARDS + 2),
            (Thing(ONE, 1),),
            None,
            9 * repeat,
        ),
        Pair(
            f"adding one to a roster of {of} / to one ProvisionedUser",
            "add",
            roster,
            (Thing(USER, 1),),
            1.1,
            7 * repeat,
        ),
        Pair(
            f"`preview` of a roster of {of_many} / of {of}", "preview", many, (roster,), 2.0, 7 * repeat, at_once=True
        ),
        Pair(
            f"`up` of a roster of {of_many} / of {of}, at once", "up", many, (roster,), 12.0, 3 * repeat, at_once=True
        ),
        Pair(
            f"`preview` of {of} ProvisionedUsers / of {of} of the leanest provider with the same properties",
            "preview",
            single,
            (Thing(SAME, thousand),),
            1.05,
            5 * repeat,
        ),
        Pair(
            f"`up` of {of} single ProvisionedUsers with PULUMI_SKIP_CHECKPOINTS / without",
            "up",
            Thing(SKIPPED, thousand),
            (single,),
            0.11,
            repeat,
        ),
    ]


def measure(
    benches: Callable[[bool], Bench], compared: Sequence[Pair], say: Callable[[object], None]
) -> list[Compared]:
    """Run every pair.

    Args:
        benches: the bench whose API answers at once, or the other one.
        compared: what to run.
        say: is told of each as it ends.
    """
    found = []
    for pair in compared:
        bench = benches(pair.at_once)
        above, below = zip(*_first_ups(bench, pair) if pair.verb == "up" else _standing(bench, pair), strict=True)
        found.append(Compared(pair.title, pair.goal, above, below))
        say(f"{pair.title}: {spelled(found[-1])}")
    return found


def spelled(compared: Compared) -> str:
    """The median of the ratios, and their ends."""
    ratios = compared.ratios
    return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def page(compared: Sequence[Compared], where: Conditions) -> str:
    """What was measured, as Markdown."""
    lines = [
        [
            one.title,
            spelled(one),
            "" if one.goal is None else f"{one.goal:g}",
            f"{median(one.above):,.2f} / {median(one.below):,.2f}",
            str(len(one.above)),
        ]
        for one in compared
    ]
    head = ["what", "ratio", "goal", "medians, s", "runs"]
    return "\n".join(["# Side by side", "", *where.lines, "", _WHAT, "", *table(head, lines), ""])


def _first_ups(bench: Bench, pair: Pair) -> Iterator[tuple[float, float]]:
    for _ in range(pair.times):
        yield bench.first_up(*pair.above), sum(bench.first_up(*thing) for thing in pair.below)


def _standing(bench: Bench, pair: Pair) -> Iterator[tuple[float, float]]:
    """Runs on stacks that stand already; the first one of each is not counted."""
    with contextlib.ExitStack() as stacks:
        above, *below = [stacks.enter_context(_Standing.up(bench, thing)) for thing in (pair.above, *pair.below)]
        for run in range(pair.times + 1):
            seconds = above.run(pair.verb), sum(one.run(pair.verb) for one in below)
            if run:
                yield seconds


class _Standing:
    """A stack that has its users."""

    def __init__(self, bench: Bench, stack: Stack, emails: list[str]) -> None:
        self._bench, self._stack, self._emails = bench, stack, emails

    @classmethod
    @contextlib.contextmanager
    def up(cls, bench: Bench, thing: Thing) -> Iterator[_Standing]:
        """Make it in the shortest time; what is measured comes later."""
        emails = bench.users(thing.size)
        with bench.stack(thing.row) as stack:
            stack.setenv(**SKIPPED.environment)
            bench.up(stack, emails, emails)
            stack.setenv(**dict.fromkeys(SKIPPED.environment))
            yield cls(bench, stack, emails)

    def run(self, verb: str) -> float:
        """Seconds of one more preview, or of one more user."""
        if verb == "preview":
            return self._stack.run(*PREVIEW).seconds
        new = self._bench.users(1)
        self._emails += new
        return self._bench.up(self._stack, self._emails, new).seconds
