"""``make bench``: users created by this package, side by side with what one would write instead.

Every row asks the same local OpenFunnel, which answers each user after the same latency. The results are a page of
tables, the same as JSON, and a picture. With ``--pairs``, what is to keep a ratio is run side by side instead; with
``--shards``, numbers of shards of a roster; with ``--ledgers``, places of the ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from harness import need

from . import ledgers, pairs, shards
from .api import serving
from .chart import draw
from .measure import Bench, Sample
from .report import Conditions, conditions, groups, results
from .rows import ROWS, Row
from .summary import Summary

_ROOT = Path(__file__).resolve().parent.parent
_SIZES = (10, 100, 1000, 5000)
_THOUSAND = 1000
_QUICK = (10, 50)
_LATENCY = 0.1  # seconds
_READERS, _QUICK_READERS = 800, 40


def main() -> int:
    """Measure, and write what was measured."""
    args = _arguments()
    need("bench", "curl", "xargs")
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]  # it would be measured, too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="openfunnel-bench-", dir=args.directory) as made:
            directory = Path(made)
            where = conditions(_command(args), args.latency, args.repeat, directory)
            with serving(directory, args.latency) as api:
                what = _pairs if args.pairs else _ledgers if args.ledgers else _shards if args.shards else _rows
                what(args, Bench(directory, api), where)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind, and nothing was written.")
        return 130
    return 0


def _rows(args: argparse.Namespace, bench: Bench, where: Conditions) -> None:
    for row in args.rows:
        bench.sample(row, 1 if row.most else 0)  # not counted: caches fill
    samples = []
    for repetition in range(args.repeat):
        for row, size in _plan(args.rows, args.sizes):
            samples.append(bench.sample(row, size))
            _say(f"[{repetition + 1}/{args.repeat}] ", samples[-1])
    summary = Summary(samples, args.latency)
    text = results(summary, where)
    print(f"\n{text}")
    ratios = [asdict(ratio) for ratio in summary.ratios()]
    data = {"conditions": asdict(where), "samples": [asdict(sample) for sample in samples], "ratios": ratios}
    drawn = groups(summary)
    picture = draw(f"Seconds of the first up, {args.latency:g} s latency a user, logarithmic scale", drawn)
    _write(args.output, {"results.md": text, "results.json": _json(data), "first-up.svg": picture})


def _pairs(args: argparse.Namespace, bench: Bench, where: Conditions) -> None:
    (bench.directory / "at-once").mkdir()
    with serving(bench.directory / "at-once", 0.0) as api:
        at_once = Bench(bench.directory / "at-once", api)
        size = min(args.sizes[-1], _THOUSAND)
        compared = pairs.measure(
            lambda quick: at_once if quick else bench, pairs.pairs(size, args.repeat), lambda found: _say("", found)
        )
    text = pairs.page(compared, where)
    print(f"\n{text}")
    data = {"conditions": asdict(where), "pairs": [asdict(one) for one in compared]}
    _write(args.output, {"pairs.md": text, "pairs.json": _json(data)})


def _shards(args: argparse.Namespace, bench: Bench, where: Conditions) -> None:
    samples, seen = shards.measure(bench, args.shards, args.sizes, args.readers, lambda found: _say("", found))
    text = shards.page(samples, seen, where)
    print(f"\n{text}")
    data = {
        "conditions": asdict(where),
        "samples": [asdict(sample) for sample in samples],
        "readers": [asdict(found) for found in seen],
    }
    _write(args.output, {"shards.md": text, "shards.json": _json(data)})


def _ledgers(args: argparse.Namespace, bench: Bench, where: Conditions) -> None:
    size = args.sizes[-1]
    rosters, commits = ledgers.measure(bench, size, args.repeat, bench.directory, lambda found: _say("", found))
    text = ledgers.page(rosters, commits, size, where)
    print(f"\n{text}")
    found = {"rosters": rosters, "commits": commits}
    data = {name: [asdict(one) for one in measured] for name, measured in found.items()}
    _write(
        args.output, {"ledgers.md": text, "ledgers.json": _json({"conditions": asdict(where), "users": size} | data)}
    )


def _plan(chosen: Sequence[Row], sizes: Sequence[int]) -> list[tuple[Row, int]]:
    """Size by size, so that rows that are compared are measured close to each other."""
    wanted = [(row, row.at(size)) for size in sizes for row in chosen]
    return [(row, size) for row, size in wanted if row.least <= size <= row.most]


def _command(args: argparse.Namespace) -> str:
    """What measures the same again; where its files go does not matter."""
    given = {
        "--sizes": None if args.sizes == list(_SIZES) else args.sizes,
        "--rows": None if args.shards or args.rows == ROWS else [row.key for row in args.rows],
        "--repeat": None if args.repeat == 1 else [args.repeat],
        "--latency": None if args.latency == _LATENCY else [args.latency],
        "--pairs": [""] if args.pairs else None,
        "--shards": args.shards,
        "--ledgers": [""] if args.ledgers else None,
        "--readers": [args.readers] if args.shards and args.readers != _READERS else None,
    }
    return " ".join(
        ["python -m benchmarks", *(f"{name} {_spelled(value)}".rstrip() for name, value in given.items() if value)]
    )


def _say(before: str, found: object) -> None:
    if not isinstance(found, Sample):
        print(before, found, sep="", flush=True)
        return
    verbs = ("up", "preview", "refresh", "add")
    numbers = ", ".join(f"{verb} {getattr(found, verb):.2f} s" for verb in verbs if getattr(found, verb) is not None)
    print(f"{before}{found.row}, {found.size} users: {found.failed or numbers}", flush=True)


def _write(output: Path, files: dict[str, str]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (output / name).write_text(text)
        print(f"Wrote {output / name}")


def _json(data: object) -> str:
    return json.dumps(data, indent=1) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--sizes", type=_listed(_positive), metavar="N,...", help=f"users (default: {_spelled(_SIZES)})")
    add("--rows", type=_listed(_row), default=ROWS, metavar="ROW,...", help=_spelled(row.key for row in ROWS))
    add("--repeat", type=_positive, default=1, metavar="N", help="runs of each (default: 1)")
    add("--latency", type=float, default=_LATENCY, metavar="SECONDS", help="of the server, a user (default: 0.1)")
    add("--quick", action="store_true", help=f"small sizes: {_spelled(_QUICK)} users")
    add("--shards", type=_listed(_positive), metavar="N,...", help="compare these numbers of a roster's shards instead")
    add("--pairs", action="store_true", help="measure the ratios that are to be kept instead, each side by side")
    add("--ledgers", action="store_true", help="compare places of a roster's ledger instead, at the largest size")
    add("--readers", type=_positive, metavar="N", help=f"of keys, with --shards (default: {_READERS})")
    add("--output", type=Path, default=_ROOT / "docs" / "benchmarks", metavar="DIR", help="(default: docs/benchmarks)")
    add(
        "--directory",
        type=Path,
        metavar="DIR",
        help="where states and ledgers are while it runs (default: the system's)",
    )
    args = parser.parse_args()
    args.readers = args.readers or (_QUICK_READERS if args.quick else _READERS)
    args.sizes = sorted(args.sizes or (_QUICK if args.quick else _SIZES))
    return args


def _listed(read: Callable[[str], object]) -> Callable[[str], list[object]]:
    def listed(text: str) -> list[object]:
        return [read(part) for part in text.split(",")]

    return listed


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return number


def _row(text: str) -> Row:
    for row in ROWS:
        if row.key == text:
            return row
    raise argparse.ArgumentTypeError(f"{text} is none of {_spelled(row.key for row in ROWS)}")


def _spelled(values: Iterable[object]) -> str:
    return ",".join(str(value) for value in values)


if __name__ == "__main__":
    sys.exit(main())
