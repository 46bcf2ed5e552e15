"""``make faults``: kills, interrupts and faults while the real Pulumi CLI creates users, and an audit of every key.

Each run has a project, a state, a ledger and a simulated OpenFunnel of its own. An accident happens at a moment that
the seed chooses; then the runbook (docs/recovery.md) is followed until an update succeeds; then the server's own
record is compared with the state and the ledger. Where machines share the ledger, each update after an accident runs
on another one, with nothing but a checkout of the program: only the state and the ledger are left.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness import Failed, Hung, need
from harness.processes import kill, living_on

from .audit import Tally, Verdict, judge
from .ledgers import FILE, Ledgers, ledgers
from .report import table
from .scenarios import SCENARIOS, STACK, Scenario
from .server import serving
from .stage import Stage
from .trial import Trial

_SHORT = 4  # scenarios
_PAUSE = 0.2  # seconds


def main() -> int:
    """Play the campaign; the exit status says whether every key was where it belongs."""
    args = _arguments()
    need("faults")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    verdicts: dict[str, list[Verdict]] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="openfunnel-faults-") as directory:
        for scenario, verdict in _campaign(args, Path(directory)):
            verdicts.setdefault(scenario.name, []).append(verdict)
    total = sum((verdict.tally for runs in verdicts.values() for verdict in runs), Tally())
    print(table({name: [verdict.tally for verdict in runs] for name, runs in verdicts.items()}, total))
    print(f"Seed {args.seed}, {args.users} users a run, {time.monotonic() - began:.0f} s.")
    return 0 if total.good and total.runs else 1


def _campaign(args: argparse.Namespace, directory: Path) -> Iterator[tuple[Scenario, Verdict]]:
    """Every run that starts in time, as it ends."""
    (directory / "server").mkdir()
    ends = time.monotonic() + args.minutes * 60
    with ledgers(args.ledger, directory / "server") as places, ThreadPoolExecutor(args.jobs) as threads:
        plan = {
            threads.submit(
                _run, scenario, f"{args.seed}:{number}", args, directory / f"{number:03}", places, ends
            ): scenario
            for number, scenario in _plan(args)
        }
        try:
            for run in as_completed(plan):
                verdict = run.result()
                if verdict is not None:
                    yield plan[run], verdict
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            while not all(run.done() for run in plan):  # a run that lost its commands may start one more
                for pid in living_on(directory):
                    kill(pid)  # they are in sessions of their own
                time.sleep(_PAUSE)
            raise


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="chooses every moment and every fault (default: 1)")
    parser.add_argument("--runs", type=int, help="how many (default: each scenario twice, or once in the short form)")
    parser.add_argument("--users", type=int, help="in each run (default: 20, or 12 in the short form)")
    parser.add_argument("--short", action="store_true", help="about a minute: the kills alone, with fewer users")
    parser.add_argument(
        "--ledger",
        default=FILE,
        help="file, the default; s3 or postgres, on a server that is started; or the URL of a ledger",
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at once: most of a run waits (default: 1)")
    parser.add_argument("--minutes", type=float, default=15, help="after which no run starts (default: 15)")
    parser.add_argument("--only", metavar="TEXT", default="", help="the scenarios whose name holds this text")
    parser.add_argument(
        "--keep", type=Path, metavar="DIRECTORY", help="copy each run there, with its server's record, which holds keys"
    )
    args = parser.parse_args()
    args.users = args.users or (12 if args.short else 20)
    return args


def _plan(args: argparse.Namespace) -> Iterator[tuple[int, Scenario]]:
    scenarios = [scenario for scenario in SCENARIOS[: _SHORT if args.short else None] if args.only in scenario.name]
    if not scenarios:
        raise SystemExit(f"There is no such scenario. There are: {', '.join(found.name for found in SCENARIOS)}")
    runs = args.runs if args.runs is not None else len(scenarios) * (1 if args.short else 2)
    for number in range(runs):
        yield number, scenarios[number % len(scenarios)]


def _run(  # noqa: PLR0917 - a job of a pool
    scenario: Scenario, seed: str, args: argparse.Namespace, directory: Path, places: Ledgers, ends: float
) -> Verdict | None:
    """One run, and a line about it; None when it is too late to start."""
    began = time.monotonic()
    if began > ends:
        print(f"{seed} {scenario.name}; out of time", flush=True)
        return None
    chance = random.Random(f"{seed}:{scenario.name}")  # noqa: S311 - not for secrets
    weather = scenario.weather(chance)
    directory.mkdir()
    with serving(weather, directory / "record.jsonl") as server:
        flags = {name: chance.random() < 0.5 for name in ("exported", "configured")}
        stage = Stage(directory / "run", server, args.users, places, **flags)
        verdict = _play(scenario, Trial(stage, chance))
    if args.keep is not None:
        shutil.copytree(directory, args.keep / seed.replace(":", "-"))
    shutil.rmtree(directory, ignore_errors=True)
    spent = f"{verdict.tally.kills} kills, {time.monotonic() - began:.0f} s"
    print("\n    ".join([f"{seed} {scenario.name}; {weather}; {spent}", *verdict.problems]), flush=True)
    return verdict


def _play(scenario: Scenario, trial: Trial) -> Verdict:
    try:
        trial.stage.add_stack(STACK)
        scenario.play(trial)
        trial.look()
        for stack in trial.stage.stacks:
            trial.recover(stack)
    except (Hung, Failed) as error:
        trial.problems.append(str(error))
    except BaseException:
        trial.kill_everything()  # they are in sessions of their own
        raise
    return judge(trial, trial.end())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; nothing is left behind.")
