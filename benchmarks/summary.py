"""Samples of repeated runs, put together, and the ratios that tell what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from . import rows
from .measure import Sample
from .rows import Row

VERBS = ("up", "preview", "refresh", "add")


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    least: float
    middle: float


@dataclass(frozen=True)
class Ratio:
    """Two measurements compared.

    Attributes:
        name: what is compared.
        size: users.
        value: the quotient, or a difference in ``unit``.
        parts: the numbers that it is made of, as a reader would write them.
        unit: of the value; empty for a quotient.
    """

    name: str
    size: int
    value: float
    parts: str
    unit: str = ""


class Summary:
    """All samples, by row and size.

    Args:
        samples: in any order.
        latency: of the server, in seconds a user.
    """

    def __init__(self, samples: Iterable[Sample], latency: float) -> None:
        self.samples = tuple(samples)
        self._latency = latency

    @property
    def sizes(self) -> list[int]:
        """The sizes that were measured."""
        fixed = {row.key for row in rows.ROWS if row.fixed}
        return sorted({sample.size for sample in self.samples if sample.row not in fixed})

    def spread(self, row: Row, size: int, what: str) -> Spread | None:
        """Minimum and median of one of a sample's numbers; None when there is none."""
        found = [getattr(sample, what) for sample in self._of(row, size)]
        numbers = [number for number in found if number is not None]
        return Spread(min(numbers), median(numbers)) if numbers else None

    def failed(self, row: Row, size: int) -> str | None:
        """Why a row has no numbers, or fewer of them."""
        return next((sample.failed for sample in self._of(row, size) if sample.failed), None)

    def ratios(self) -> list[Ratio]:
        """What can be compared with what was measured."""
        found = [ratio for size in self.sizes for ratio in self._ratios_at(size)]
        names = list(dict.fromkeys(ratio.name for ratio in found))
        return sorted(found, key=lambda ratio: names.index(ratio.name))

    def _of(self, row: Row, size: int) -> Sequence[Sample]:
        return [sample for sample in self.samples if sample.row == row.key and sample.size == size]

    def _least(self, row: Row, size: int, what: str) -> float | None:
        spread = self.spread(row, size, what)
        return spread.least if spread else None

    def _ratios_at(self, size: int) -> Iterable[Ratio]:
        empty_up, empty_preview = (self._least(rows.EMPTY, 0, verb) for verb in ("up", "preview"))
        floor, up = self._least(rows.FLOOR, size, "up"), self._least(rows.USERS, size, "up")
        documented = rows.DEEP if self.failed(rows.DOCUMENTED, size) else rows.DOCUMENTED
        yield from _quotient("ProvisionedUsers: `up` / (floor + empty `up`)", size, up, _sum(floor, empty_up))
        for row in (documented, rows.LEANEST, rows.USER):
            name = f"{row.title}: `up` / ProvisionedUsers: `up`"
            yield from _quotient(name, size, self._least(row, size, "up"), up)
        for row in (rows.ONE, rows.USERS):
            name = f"{row.title}: `preview` / empty `preview`"
            yield from _quotient(name, size, self._least(row, row.at(size), "preview"), empty_preview)
        one = _sum(empty_up, self._latency)
        for row in (rows.ONE, rows.USERS, rows.USER):
            name = f"{row.title}: `up` that adds one / (empty `up` + one request)"
            yield from _quotient(name, size, self._least(row, row.at(size), "add"), one)
        for lean in (rows.LEANEST, rows.SAME):
            for what, title, unit in (("up", "`up`", "s"), ("state_bytes", "state", "B")):
                parts = self._least(rows.USER, size, what), self._least(lean, size, what)
                yield from _quotient(f"ProvisionedUser: {title} / {lean.title}: {title}", size, *parts, unit)
        if size == 5000:
            thousand = self._least(rows.USERS, 1000, "up")
            yield from _quotient("ProvisionedUsers: `up` of 5000 / `up` of 1000", size, up, thousand)
        yield from self._ledger(size, rows.USER, rows.USER_OFF)
        yield from self._ledger(size, rows.USERS, rows.USERS_OFF)

    def _ledger(self, size: int, with_it: Row, without: Row) -> Iterable[Ratio]:
        on, off = self._least(with_it, size, "up"), self._least(without, size, "up")
        if on is not None and off is not None:
            parts = f"({on:.2f} s - {off:.2f} s) / {size}"
            yield Ratio(f"the ledger's cost, {with_it.title}", size, (on - off) / size * 1000, parts, "ms a user")


def _quotient(name: str, size: int, above: float | None, below: float | None, unit: str = "s") -> Iterable[Ratio]:
    if above is not None and below:
        yield Ratio(name, size, above / below, f"{above:,.2f} {unit} / {below:,.2f} {unit}")


def _sum(*numbers: float | None) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
