"""The campaign's table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple

from .audit import Tally

_COLUMNS = (
    *("runs", "kills", "faults", "keys issued", "lost in flight"),
    *("KEYS LOST", "ASKED TWICE", "WRONG KEY", "IN THE CLEAR", "LEFT BEHIND", "BLOCKED", "OTHER"),
)


def table(tallies: dict[str, list[Tally]], total: Tally) -> str:
    """A line for each scenario and one for all; what is in capitals must be zero."""
    rows = [(name, sum(runs, Tally())) for name, runs in tallies.items()] + [("total", total)]
    width = max(len(name) for name, _ in rows)
    lines = [_line("", _COLUMNS, width)]
    lines += [_line(name, map(str, astuple(tally)), width) for name, tally in rows]
    lines.insert(-1, "-" * len(lines[0]))
    return "\n".join(["", *lines])


def _line(name: str, cells: Iterable[str], width: int) -> str:
    padded = (cell.rjust(len(column)) for cell, column in zip(cells, _COLUMNS, strict=True))
    return f"{name:{width}}  " + "  ".join(padded)
