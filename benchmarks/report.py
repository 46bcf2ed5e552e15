"""The results as Markdown."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .chart import Bar, Group
from .rows import ROWS, Row
from .summary import VERBS, Spread, Summary

_WHAT = """\
One server in a process of its own answers all of them, each user after the same latency. Every number comes from a
project, a state and a ledger of their own, from users that the server had never seen, and counts only when the server's
record shows exactly those users. Pulumi's rows keep the keys, encrypted, in a state; curl and httpx keep nothing.

- **dynamic provider, as documented**: a class in the program that calls `httpx.post`. Its `refresh` asks nobody.
  Pulumi's SDK nests a call deeper with each provider of that kind that it serializes, so a program of some 300 users
  ends in a RecursionError; *deeper recursion* is the same program after `sys.setrecursionlimit(100_000)`.
- **the leanest dynamic provider**: a class in a module of its own, one client, one secret output and nothing else: no
  checks, no retries, no record of what was issued. Its `refresh` asks nobody.
- **the leanest one, the same properties**: the same, which also computes and keeps what a ProvisionedUser keeps (an internal
  email, a fingerprint, a status), under the same names.
- **one resource of the leanest provider**: the same with a single user. What it takes more than an empty stack, every
  dynamic provider takes at least: the start of its process, and of what makes requests.
- **ProvisionedUser** and **ProvisionedUsers**: this package. Their `refresh` tries every key.
- **xargs -P 32 curl** and **httpx.Client, 32 threads**, the floor: requests alone, Python's start included.

`add one` is an `up` that adds one user to those that are there; `state` is what a user adds to the stack's file;
`memory` is the most that the provider's process held in the first `up`."""


@dataclass(frozen=True)
class Conditions:
    """Where and how it was measured; ``command`` is what repeats it."""

    command: str
    date: str
    latency: float
    repeat: int
    python: str
    pulumi: str
    sdk: str
    cores: int
    system: str
    file_system: str

    @property
    def lines(self) -> list[str]:
        """A few lines for readers."""
        return [
            f"{self.date}: Python {self.python}, Pulumi {self.pulumi} (SDK {self.sdk}), {self.cores} cores, {self.system}, "
            f"state and ledger on {self.file_system}. {self.latency:g} s latency a user; "
            + (f"minimum (median) of {self.repeat} runs." if self.repeat > 1 else "one run of each."),
            "",
            "To repeat it:",
            "",
            "```console",
            f"$ {self.command}",
            "```",
        ]


def conditions(command: str, latency: float, repeat: int, directory: Path) -> Conditions:
    """Those of this process; the directory is where states and ledgers are."""
    pulumi = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout.strip()
    today = dt.datetime.now(tz=dt.timezone.utc).date().isoformat()
    return Conditions(
        command,
        today,
        latency,
        repeat,
        platform.python_version(),
        pulumi,
        version("pulumi"),
        os.cpu_count() or 1,
        f"{platform.system()} {platform.machine()}",
        _file_system(directory),
    )


def results(summary: Summary, where: Conditions) -> str:
    """The whole page."""
    tables = [line for size in summary.sizes for line in _of_size(summary, size)]
    ratios = [
        [ratio.name, f"{ratio.size:,}", f"{ratio.value:.2f} {ratio.unit}".strip(), ratio.parts]
        for ratio in summary.ratios()
    ]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            *where.lines,
            "",
            _WHAT,
            "",
            "![Seconds of the first up](first-up.svg)",
            "",
            *tables,
            "## Ratios",
            "",
            "Of the minima.",
            "",
            *table(["what", "users", "value", "of"], ratios),
            "",
        ]
    )


def groups(summary: Summary) -> list[Group]:
    """The picture's bars."""
    found = []
    for row in ROWS:
        sizes = [row.most] if row.fixed else summary.sizes
        bars = [_bar(summary, row, size) for size in sizes if _measured(summary, row, size)]
        if bars:
            found.append(Group(row.title, bars))
    return found


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *lines)]


def spelled(spread: Spread | None, unit: float = 1, digits: int = 2) -> str:
    """The minimum, and the median where it is another one."""
    if spread is None:
        return ""
    least, middle = (f"{number / unit:,.{digits}f}" for number in (spread.least, spread.middle))
    return least if least == middle else f"{least} ({middle})"


def _of_size(summary: Summary, size: int) -> list[str]:
    head = [
        f"{size:,} users",
        "`up`, s",
        "`preview`, s",
        "`refresh`, s",
        "add one, s",
        "state, bytes a user",
        "memory, MiB",
    ]
    return [f"## {size:,} users", "", *table(head, _lines(summary, size)), "", *_failures(summary, size)]


def _lines(summary: Summary, size: int) -> Iterable[list[str]]:
    for row in ROWS:
        at = row.at(size)
        if summary.failed(row, at):
            yield [row.title, "failed", *[""] * 5]
        elif _measured(summary, row, at):
            seconds = [spelled(summary.spread(row, at, verb)) for verb in VERBS]
            state, peak = summary.spread(row, at, "state_bytes"), summary.spread(row, at, "peak_kib")
            yield [row.title, *seconds, spelled(state, digits=0), spelled(peak, unit=1024, digits=0)]


def _failures(summary: Summary, size: int) -> list[str]:
    found = [f"{row.title}: {why}." for row in ROWS if (why := summary.failed(row, size))]
    return [*found, ""] if found else []


def _measured(summary: Summary, row: Row, size: int) -> bool:
    return summary.failed(row, size) is not None or summary.spread(row, size, "up") is not None


def _bar(summary: Summary, row: Row, size: int) -> Bar:
    spread = summary.spread(row, size, "up")
    return Bar(0 if row.fixed else size, spread.least if spread else None, f"{size:,} users: fails")


def _file_system(directory: Path) -> str:
    """The type of the file system that holds a directory, where Linux tells it."""
    if not Path("/proc/mounts").exists():
        return f"{sys.platform}'s file system"
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if directory.resolve().is_relative_to(mount[1])]
    return max(holding, key=lambda mount: len(mount[1]))[2]
