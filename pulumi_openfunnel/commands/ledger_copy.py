"""``ledger copy FROM TO``: a ledger moves to another place."""

from __future__ import annotations

import argparse
import shlex

from ..errors import InvalidSetting, LedgerUnusable
from ..ledger.base import moved_away
from ..ledger.documents import MOVED, Moved
from ..ledger.moving import copy
from ..ledger.rules import Ledger
from ..ledger_urls import SETTING
from ..places import Place, PostgresPlace
from . import terminal
from .ledger_place import URL, action, is_there, missing, opened, place_of

_KINDS = ("users/", "answers/", "keys/")


def add_to(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the command's."""
    parser = actions.add_parser(
        "copy",
        help="move a ledger to another place",
        description="Copy everything, and mark FROM as moved: from then on only TO answers, and FROM can still be listed. No run "
        "may be using either. TO is empty, or was moved away itself and is overwritten. A copy that broke off is completed by "
        "the same command. A URL's password is better in PGPASSWORD or ~/.pgpass than on a command line.",
        epilog=terminal.STATUSES,
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="FROM", help=f"the ledger as it is: {URL}")
    parser.add_argument("target", metavar="TO", help="where it is to be; a file or a table is made")
    action(parser, _copy)


def _copy(args: argparse.Namespace) -> int:
    if args.ledger is not None:
        raise InvalidSetting("--ledger", "--ledger says nothing here: give FROM and TO.")
    source, target = _place("FROM", args.source), _place("TO", args.target)
    if not is_there(source):
        terminal.complain(missing(source))
        return terminal.NOT_DONE
    with opened(source) as before:
        _check_source(before)
        with opened(target, create=True) as after:
            _check_target(before, after)
            number = copy(before, after)
    terminal.show(
        [
            f"{number} documents copied from {source} to {target}.",
            f"From now on only {target} answers. {_set(target, args.target)}",
        ]
    )
    return terminal.DONE


def _place(name: str, url: str) -> Place:
    place = place_of(url, name)
    if place is None:
        raise InvalidSetting(name, f"{name} is no place for a ledger. Give {URL}.")
    return place


def _check_source(source: Ledger) -> None:
    """Raise LedgerUnusable where there is nothing to copy."""
    archive = source.archive
    if archive.read(Moved, MOVED) is None and not any(archive.store.names(kind) for kind in _KINDS):
        raise LedgerUnusable(source.place, "is empty", "There is nothing to copy. Check FROM.")


def _check_target(source: Ledger, target: Ledger) -> None:
    """Raise LedgerUnusable where both are one place, or the copy would bring back what was true once."""
    if source.owners.lives(target.owners.current()):
        raise LedgerUnusable(source.place, "is both FROM and TO", "Give another place to copy to.")
    went, gone = source.archive.read(Moved, MOVED), target.archive.read(Moved, MOVED)
    if went is None or not went.document.done:
        return
    if gone is None or gone.document.to not in ("", source.place):
        raise moved_away(source.place, went.document) if gone is None else moved_away(target.place, gone.document)


def _set(place: Place, url: str) -> str:
    """How the stacks come to know the new place; a URL that may hold a password is not repeated."""
    if isinstance(place, PostgresPlace):
        return f"Run, in each stack: pulumi config set --secret {SETTING} (or set OPENFUNNEL_LEDGER)."
    value = url if "://" in url else str(place)
    return f"Run, in each stack: pulumi config set {SETTING} {shlex.quote(value)} (or set OPENFUNNEL_LEDGER)."
