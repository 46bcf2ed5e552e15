"""``ledger rekey``: seal every key anew, after the key that they are sealed under changed."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from ..ledger.rules import Ledger
from ..ledger.upkeep import Rekeyed, rekey
from ..places import Place
from ..settings import LEDGER_KEY
from . import terminal
from .ledger_keys import API_KEY, OLD_KEY, SET_KEY, keys_in, seals_of
from .ledger_place import action_on_ledger, command


def add_to(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the command's."""
    action_on_ledger(
        actions.add_parser(
            "rekey",
            help="seal every key anew, after the provisioner key was rotated",
            description=f"Seal every key under {LEDGER_KEY} or, without it, {API_KEY}. What does not open with these opens with "
            f"the key that it is sealed under now: it is taken from {OLD_KEY}, or asked for. Keys of users that another run is "
            "creating stay as they are.",
            epilog=terminal.STATUSES,
            allow_abbrev=False,
        ),
        _rekey,
    )


def _rekey(ledger: Ledger, _place: Place, args: argparse.Namespace) -> int:
    keys = keys_in(os.environ)
    if not keys.at_hand:
        terminal.complain(f"There is no key to seal under. {SET_KEY}")
        return terminal.USAGE
    done = rekey(ledger, keys.at_hand[0], keys.all)
    if done.stuck and not keys.old:
        old = seals_of(terminal.ask(f"The key that the other answers are sealed under ({OLD_KEY}): "))
        again = rekey(ledger, keys.at_hand[0], [*keys.at_hand, *old])
        done = replace(again, sealed=done.sealed + again.sealed)
    terminal.show([_line(done), *done.problems])
    if done.stuck:
        terminal.complain(f"Which ones, and what to do about them: {command(args.ledger)}.")
    if done.busy:
        terminal.complain("When the other run has ended, run the same command again.")
    return terminal.NOT_DONE if done.stuck or done.busy or done.problems else terminal.DONE


def _line(done: Rekeyed) -> str:
    stuck = f", {done.stuck} did not open with the old key" if done.stuck else ""
    busy = f", {done.busy} left as they are, because another run is creating these users" if done.busy else ""
    return f"{done.sealed} sealed anew{stuck}{busy}."
