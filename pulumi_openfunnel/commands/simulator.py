"""The ``simulator`` command: a local OpenFunnel over HTTP."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..simulator import Account, Accounts, Existing, Fault, Faults, Ids, WrongValue, serve

_OPTIONS = {
    "script": "--fault",
    "seed": "--fault-seed",
    "rate": "--fault-rate",
    "kinds": "--fault-kinds",
    "retry_after": "--retry-after",
    "hold": "--hold",
    "latency": "--latency",
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    command = commands.add_parser(
        "simulator",
        help="serve a local OpenFunnel over HTTP",
        description="Serve a local OpenFunnel over HTTP on 127.0.0.1, until it is interrupted.",
        epilog="\n".join(["kinds of faults:", *(f"  {fault.value:<12}{fault.meaning}" for fault in Fault)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("--port", type=int, default=8765, help="TCP port; 0 lets the system choose (default: 8765)")
    add(
        "--orchestrator",
        action="append",
        metavar="EMAIL=KEY",
        help="an account that may create users; repeatable (default: guy@orchestrator.com=of_simulator)",
    )
    add("--account", action="append", default=[], metavar="EMAIL=KEY", help="one that may not (no is_provisioner)")
    add(
        "--existing",
        choices=[existing.value for existing in Existing],
        default=Existing.CONFLICT.value,
        help="the answer for a user that exists: refused, or 200 with its key or with a new one (default: 409)",
    )
    add("--ids", choices=[ids.value for ids in Ids], default=Ids.NUMBER.value, help="kind of a user's id")
    add("--credits", type=float, default=200.0, help="credits of each domain (default: 200)")
    add("--data", type=Path, metavar="FILE", help="keep the users, with their keys, in this file")
    add("--log", action="store_true", help="print each request to standard error, without keys")
    add("--record", type=Path, metavar="FILE", help="add each create-user, with its key, to this file")
    _add_faults(command.add_argument_group("what goes wrong with create-user"))
    command.set_defaults(run=_run)


def _add_faults(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--fault",
        action="append",
        default=[],
        metavar="N=KIND",
        help="the N-th request, counted from 1, goes wrong; repeatable",
    )
    add("--fault-seed", metavar="NUMBER", help="let chance choose the others, the same for one seed")
    add("--fault-rate", type=_number, metavar="RATE", help="how many of them go wrong, from 0 to 1")
    add("--fault-kinds", metavar="KIND,...", help="what chance chooses from (default: all that pass by themselves)")
    for option, default, what in (
        ("--retry-after", 1.0, "what 429 and 503 ask to wait (default: 1)"),
        ("--hold", 5.0, "how late hold answers (default: 5)"),
        ("--latency", 0.0, "how late each request is worked on"),
    ):
        add(option, type=_number, default=default, metavar="SECONDS", help=what)


def _run(args: argparse.Namespace) -> int:
    try:
        faults, accounts = _faults(args), _accounts(args)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with serve(accounts, args.port, log=args.log, faults=faults, latency=args.latency) as base_url:
            print(base_url, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except WrongValue as error:
        print(f"simulator: {' and '.join(_OPTIONS[name] for name in error.names)} {error.rule}", file=sys.stderr)
        return 1
    except (OSError, OverflowError, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


def _accounts(args: argparse.Namespace) -> Accounts:
    orchestrators = args.orchestrator or ["guy@orchestrator.com=of_simulator"]
    accounts = [_account(text, is_provisioner=True) for text in orchestrators]
    accounts += [_account(text, is_provisioner=False) for text in args.account]
    return Accounts(
        accounts,
        existing=Existing(args.existing),
        ids=Ids(args.ids),
        credits=args.credits,
        data=args.data,
        record=args.record,
    )


def _account(text: str, *, is_provisioner: bool) -> Account:
    email, _, key = text.partition("=")
    if "@" not in email or not key:
        raise ValueError("an account is given as EMAIL=KEY, such as guy@orchestrator.com=of_simulator")
    return Account(email, key, is_provisioner)


def _faults(args: argparse.Namespace) -> Faults:
    if args.fault_kinds is not None and args.fault_seed is None:
        raise ValueError("--fault-kinds needs --fault-seed and --fault-rate")
    faults = Faults(
        _script(args.fault),
        seed=None if args.fault_seed is None else _whole(args.fault_seed),
        rate=args.fault_rate,
        retry_after=args.retry_after,
        hold=args.hold,
    )
    if args.fault_kinds is None:
        return faults
    return replace(faults, kinds=[_kind(name) for name in args.fault_kinds.split(",")])


def _script(texts: Iterable[str]) -> dict[int, Fault]:
    script: dict[int, Fault] = {}
    for text in texts:
        number, equals, name = text.partition("=")
        if not (equals and number.isascii() and number.isdigit()):
            raise ValueError("--fault is given as N=KIND, such as 3=429")
        if int(number) in script:
            raise ValueError(f"--fault gives request {int(number)} two faults")
        script[int(number)] = _kind(name)
    return script


def _kind(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise ValueError(f"kinds of faults are {', '.join(fault.value for fault in Fault)}") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise WrongValue("seed", rule="is a whole number") from None


def _number(text: str) -> float:
    """A number; what is none is no number, which what it is for will refuse."""
    try:
        return float(text)
    except ValueError:
        return math.nan
