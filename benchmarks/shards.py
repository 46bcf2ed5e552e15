"""How many shards a roster should have: what they cost, and how many readers of keys an added user stirs up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from .api import NotTrue
from .measure import Bench, Sample
from .report import Conditions, spelled, table
from .rows import sharded
from .stack import CommandFailed, Stack
from .summary import VERBS, Summary

_PREVIEWS = 3  # each adds another user, so mostly to another shard

_WHAT = """\
A roster's number of shards is part of every URN, so it is chosen once. More shards mean more resources, and the engine
rewrites its state for each; fewer mean that a preview of an added user, whose shard's keys it cannot know yet, shows more
readers of keys as changed. An update leaves all of those as they are."""


@dataclass(frozen=True)
class Stirred:
    """What previews of an added user show.

    Attributes:
        shards: of the roster.
        readers: of keys, one a user.
        updated: in each preview, the readers shown as updated.
        replaced: the same, as replaced.
        failed: why it could not be seen.
    """

    shards: int
    readers: int
    updated: tuple[int, ...] = ()
    replaced: tuple[int, ...] = ()
    failed: str | None = None


def stirred(bench: Bench, shards: int, readers: int) -> Stirred:
    """Preview an added user where each user's key has a reader."""
    row = sharded(shards, readers=True)
    emails = bench.users(readers + _PREVIEWS)
    known, more = emails[:readers], emails[readers:]
    try:
        with bench.stack(row) as stack:
            bench.up(stack, known, known)
            seen = [_previewed(stack, [*known, email]) for email in more]
            bench.api.expect([])
    except (CommandFailed, NotTrue) as error:
        bench.api.created()
        return Stirred(shards, readers, failed=str(error))
    return Stirred(shards, readers, tuple(update for update, _ in seen), tuple(replace for _, replace in seen))


def page(samples: Sequence[Sample], readers: Sequence[Stirred], where: Conditions) -> str:
    """What was measured, as Markdown."""
    summary = Summary(samples, where.latency)
    shown = [line for what in VERBS for line in _verb(summary, what, [found.shards for found in readers])]
    count = readers[0].readers
    head = ["shards", "shown as updated", "shown as replaced", "mean of both", f"of {count:,}"]
    lines = [_reader_line(found) for found in readers]
    parts = ["# Shards of a roster", "", *where.lines, "", _WHAT, "", *shown]
    parts += [f"## One user added to {count:,}: their keys' readers in the preview", "", *table(head, lines), ""]
    return "\n".join(parts)


def measure(
    bench: Bench, numbers: Iterable[int], sizes: Sequence[int], readers: int, say: Callable[[object], None]
) -> tuple[list[Sample], list[Stirred]]:
    """Measure every number of shards at every size, and then what readers see of it."""
    samples, seen = [], []
    for shards in numbers:
        for size in sizes:
            samples.append(bench.sample(sharded(shards), size))
            say(samples[-1])
        seen.append(stirred(bench, shards, readers))
        say(seen[-1])
    return samples, seen


def _previewed(stack: Stack, emails: list[str]) -> tuple[int, int]:
    """The readers that a preview shows as updated, and as replaced."""
    stack.declare(emails)
    steps = json.loads(stack.run("preview", "--json").output)["steps"]
    ops = [step["op"] for step in steps if "benchmarks:Reader" in step["urn"]]
    return ops.count("update"), ops.count("replace")


def _verb(summary: Summary, what: str, shards: Sequence[int]) -> list[str]:
    title = "`up` that adds one" if what == "add" else f"`{what}`"
    head = ["shards", *(f"{size:,} users, s" for size in summary.sizes)]
    lines = [
        [str(number), *(spelled(summary.spread(sharded(number), size, what)) or "failed" for size in summary.sizes)]
        for number in shards
    ]
    return [f"## {title}", "", *table(head, lines), ""]


def _reader_line(found: Stirred) -> list[str]:
    if found.failed:
        return [str(found.shards), "failed", found.failed, "", ""]
    both = [updated + replaced for updated, replaced in zip(found.updated, found.replaced, strict=True)]
    columns = (", ".join(map(str, numbers)) for numbers in (found.updated, found.replaced))
    return [str(found.shards), *columns, f"{mean(both):.1f}", f"{mean(both) / found.readers:.1%}"]
