"""``python -m pulumi_openfunnel simulator``: a local OpenFunnel over HTTP."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the package's."""
    command = commands.add_parser(
        "simulator",
        help="serve a local OpenFunnel over HTTP",
        description="Serve a local OpenFunnel over HTTP on 127.0.0.1, until it is interrupted.",
    )
    command.add_argument("--port", type=int, default=8765, help="TCP port; 0 lets the system choose (default: 8765)")
    command.add_argument(
        "--orchestrator",
        action="append",
        metavar="EMAIL=KEY",
        help="an account that may create users; repeatable (default: guy@orchestrator.com=of_simulator)",
    )
    command.add_argument(
        "--account", action="append", default=[], metavar="EMAIL=KEY", help="one that may not (no is_provisioner)"
    )
    command.add_argument(
        "--existing",
        choices=["409", "400", "same-key", "new-key"],
        default="409",
        help="the answer for a user that exists: refused, or 200 with its key or with a new one (default: 409)",
    )
    command.add_argument("--ids", choices=["number", "string"], default="number", help="kind of a user's id")
    command.add_argument("--credits", type=float, default=200.0, help="credits of each domain (default: 200)")
    command.add_argument("--data", type=Path, metavar="FILE", help="keep the users, with their keys, in this file")
    command.add_argument("--log", action="store_true", help="print each request to standard error, without keys")
    command.add_argument("--record", type=Path, metavar="FILE", help="add each create-user, with its key, to this file")
    _add_faults(command.add_argument_group("what goes wrong with create-user"))
    command.set_defaults(run=_serve)


def _add_faults(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="N=KIND",
        help="the N-th request, counted from 1, goes wrong; repeatable. Kinds: 429, 429-header, 500, 500-after, "
        "502-html, drop-before, drop-after, half-body, endless, trickle, garbage, hold",
    )
    group.add_argument("--fault-seed", metavar="NUMBER", help="let chance choose the others, the same for one seed")
    group.add_argument("--fault-rate", metavar="RATE", help="how many of them go wrong, from 0 to 1")
    group.add_argument("--fault-kinds", metavar="KIND,...", help="what chance chooses from (default: all)")
    group.add_argument("--retry-after", default="1", metavar="SECONDS", help="what a 429 asks for (default: 1)")
    group.add_argument("--hold", default="5", metavar="SECONDS", help="how late hold answers (default: 5)")
    group.add_argument("--latency", default="0", metavar="SECONDS", help="how late each request is worked on")


def _serve(args: argparse.Namespace) -> int:
    try:
        from ..simulator import Account, Accounts, Existing, Ids, serve
        from ..simulator.options import read_faults, read_number
    except ImportError as error:
        print(f"{error}. Run: pip install 'pulumi-openfunnel[simulator]'", file=sys.stderr)
        return 1
    orchestrators = args.orchestrator or ["guy@orchestrator.com=of_simulator"]
    try:
        faults = read_faults(
            args.fault,
            seed=args.fault_seed,
            rate=args.fault_rate,
            kinds=args.fault_kinds,
            retry_after=args.retry_after,
            hold=args.hold,
        )
        latency = read_number("--latency", args.latency)
        accounts = Accounts(
            [Account(*_account(text)) for text in orchestrators]
            + [Account(*_account(text), is_provisioner=False) for text in args.account],
            existing=Existing(args.existing),
            ids=Ids(args.ids),
            credits=args.credits,
            data=args.data,
            record=args.record,
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with serve(accounts, args.port, log=args.log, faults=faults, latency=latency) as base_url:
            print(base_url, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


def _account(text: str) -> tuple[str, str]:
    email, _, key = text.partition("=")
    if "@" not in email or not key:
        raise ValueError("an account is given as EMAIL=KEY, such as guy@orchestrator.com=of_simulator")
    return email, key
