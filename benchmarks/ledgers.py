"""What a ledger costs in a bucket instead of a file, near and far, and what threads gain that share a commit."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from harness.servers.s3 import S3Server
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.sqlite.owners import FlockOwners
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore, _Change
from pulumi_openfunnel.ledger.turns import Asked

from .delay import delayed
from .measure import Bench
from .report import Conditions, table
from .rows import USERS, Row

DELAY = 0.03  # seconds that a call to a bucket takes more
_THREADS = 32

_WHAT = """\
The first `up` of a roster with its ledger in a file, in a bucket on the same machine, and in that bucket when each call takes
30 ms more. Each time one after the other; the ratios are medians of those runs. The server's own work counts, since it shares
the cores with what is measured. Below, the ledger alone: users that are written down by 32 threads in a file, each with its
three documents, when threads share commits and when each write is a commit of its own."""


@dataclass(frozen=True)
class Measured:
    """Seconds of repeated runs.

    Attributes:
        what: what was done.
        seconds: of each run.
    """

    what: str
    seconds: tuple[float, ...]


FILE, NEAR, FAR = "a file", "S3", "S3, each call 30 ms more"
GROUP, ALONE = "threads share commits", "a commit for each write"


class OneByOne(SqliteStore):
    """The store without its group commit: each write is a commit of its own."""

    _one = threading.Lock()

    def _change(self, statement: str, *values: object) -> bool:
        with self._one, self._using:
            return bool(self._made([_Change(statement, values)])[0])


def measure(
    bench: Bench, size: int, repeat: int, directory: Path, say: Callable[[object], None]
) -> tuple[list[Measured], list[Measured]]:
    """Measure rosters, then the group commit."""
    with _places(directory) as places:
        for row in places.values():
            bench.first_up(row(), 1)  # not counted: caches fill
        rosters = _repeated({name: _timed_up(bench, row, size) for name, row in places.items()}, repeat, say)
    kinds: dict[str, type[SqliteStore]] = {GROUP: SqliteStore, ALONE: OneByOne}
    commits = _repeated({name: _timed_commits(kind, size, directory) for name, kind in kinds.items()}, repeat, say)
    return rosters, commits


def page(rosters: Sequence[Measured], commits: Sequence[Measured], size: int, where: Conditions) -> str:
    """What was measured, as Markdown."""
    parts = ["# Where the ledger lies", "", *where.lines, "", _WHAT, ""]
    parts += [f"## `up` of {size:,}", "", *_table(rosters), "", f"## {size:,} users from {_THREADS} threads", ""]
    return "\n".join([*parts, *_table(commits), ""])


@contextlib.contextmanager
def _places(directory: Path) -> Iterator[dict[str, Callable[[], Row]]]:
    """Rows by where their ledger lies, each time in a bucket of its own."""
    home = directory / "s3"
    home.mkdir()
    with contextlib.closing(S3Server(home)) as server, delayed(server.port, DELAY) as far:

        def row(port: int) -> Row:
            url = server.url(server.bucket(), port=port)
            return replace(USERS, environment={**server.environment, "OPENFUNNEL_LEDGER": url})

        yield {FILE: lambda: USERS, NEAR: lambda: row(server.port), FAR: lambda: row(far)}


def _repeated(timed: dict[str, Callable[[], float]], repeat: int, say: Callable[[object], None]) -> list[Measured]:
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeat):
        for name, run in timed.items():
            seconds[name].append(run())
            say(f"{name}: {seconds[name][-1]:.2f} s")
    return [Measured(name, tuple(found)) for name, found in seconds.items()]


def _timed_up(bench: Bench, row: Callable[[], Row], size: int) -> Callable[[], float]:
    return lambda: bench.first_up(row(), size)


def _timed_commits(kind: type[SqliteStore], size: int, directory: Path) -> Callable[[], float]:
    def run() -> float:
        with tempfile.TemporaryDirectory(dir=directory) as made:
            path = Path(made) / "ledger.db"
            with contextlib.closing(Ledger(kind(path), FlockOwners(path))) as ledger:
                return _written(ledger, size)

    return run


def _written(ledger: Ledger, size: int) -> float:
    """Seconds that it takes to write down so many users, with their answers and keys."""
    seal = Seal(b"of_benchmarks")

    def user(number: int) -> None:
        internal_email, key = f"user{number}@orchestrator.com", f"of_user_{number}"
        identity = Identity("https://api.openfunnel.dev", "guy@orchestrator.com", internal_email, f"u{number}@a.com")
        asked = ledger.begin(identity)
        if not isinstance(asked, Asked):
            raise TypeError("the ledger was empty")
        ledger.answered(asked, json.dumps({"id": number, "email": internal_email, "api_key": key}).encode(), seal)
        ledger.claim(asked, key)

    began = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(user, range(size)))
    return time.perf_counter() - began


def _table(measured: Sequence[Measured]) -> list[str]:
    first = measured[0].seconds
    lines = [
        [
            one.what,
            f"{min(one.seconds):.2f}",
            f"{median(one.seconds):.2f}",
            f"{median(mine / base for mine, base in zip(one.seconds, first, strict=True)):.2f}",
        ]
        for one in measured
    ]
    return table(["", "least, s", "median, s", "ratio to the first"], lines)
