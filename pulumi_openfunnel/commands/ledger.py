"""``python -m pulumi_openfunnel ledger``: what a ledger holds, and what to do about it."""

from __future__ import annotations

import argparse
import os

from ..ledger.rules import Ledger
from ..places import Place
from ..settings import LEDGER_KEY
from . import ledger_copy, ledger_forget, ledger_reassign, ledger_rekey, ledger_text, terminal
from .ledger_entries import Entries
from .ledger_keys import API_KEY, OLD_KEY, keys_in
from .ledger_place import add_option, command, is_there, missing, opened, place_of

__all__ = ["OLD_KEY", "add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the package's."""
    ledger = commands.add_parser(
        "ledger",
        help="which users were requested, which keys are kept, and what to do next",
        description="List which users were requested and what became of each, and what to do next. Changes nothing. The ledger "
        "is the one that OPENFUNNEL_LEDGER names, else the file in the state directory; give --ledger where the stack's config "
        "names another.",
        epilog=terminal.STATUSES,
        allow_abbrev=False,
    )
    add_option(ledger, default=None)
    add = ledger.add_argument
    add(
        "--show-keys",
        action="store_true",
        help=f"show the keys as well; what they are sealed under is read from {LEDGER_KEY}, {API_KEY} and {OLD_KEY}",
    )
    add("--failed", action="store_true", help="only users that were requested and are not there")
    add("--json", action="store_true", help="print one JSON document; keys only with --show-keys")
    ledger.set_defaults(run=lambda args: terminal.run(lambda: _list(args)))
    actions = ledger.add_subparsers(metavar="ACTION", title="actions")
    for action in (ledger_reassign, ledger_rekey, ledger_copy, ledger_forget):
        action.add_to(actions)


def _list(args: argparse.Namespace) -> int:
    place = place_of(args.ledger)
    if place is None or not is_there(place):
        reason = missing(place)
        terminal.show([ledger_text.empty_document(reason) if args.json else reason])
        return terminal.DONE
    with opened(place) as ledger:
        return _listed(ledger, place, args)


def _listed(ledger: Ledger, place: Place, args: argparse.Namespace) -> int:
    keys = keys_in(os.environ)
    entries = Entries(ledger, place, keys.at_hand)
    view = ledger_text.View(
        place=ledger.place,
        entries=entries,
        moved=entries.moved(),
        command=command(args.ledger),
        only_failed=args.failed,
        keys=keys.all if args.show_keys else None,
        provisioner_key=os.environ.get(API_KEY, "").strip(),
    )
    terminal.show(ledger_text.document(view) if args.json else ledger_text.text(view))
    return terminal.NOT_DONE if entries.problems else terminal.DONE
