"""``ledger forget``: entries are removed for good."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from .. import emails, wording
from ..ledger.listing import Row, Status
from ..ledger.rules import Ledger
from ..ledger.upkeep import Outcome, forget
from ..places import FilePlace, Place, PostgresPlace
from . import terminal
from .arguments import days
from .ledger_entries import Entries
from .ledger_place import action_on_ledger, command
from .ledger_text import title

Done: TypeAlias = "Sequence[tuple[Row, Outcome]]"
"""What came of each row."""

_DAY = 86400.0  # seconds


def add_to(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the command's."""
    parser = actions.add_parser(
        "forget",
        help="remove entries for good",
        description="Remove entries for good: those for which everything holds that is given. What may hold the only copy of a "
        "key that works is kept, unless --lose-keys is given. It is no way to give a user to another address of the same "
        "customer: that is reassign, or aliases in the program.",
        epilog=terminal.STATUSES,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("emails", nargs="*", metavar="EMAIL", help="entries of this end user's address or internal email")
    add("--released", action="store_true", help="entries whose user left its stack, and those whose key works no more")
    add("--older-than", type=days, metavar="DAYS", help="entries that did not change for so many days")
    add(
        "--lose-keys", action="store_true", help="also what may hold the only copy of a key that works; it is gone then"
    )
    action_on_ledger(parser, _forget)


def _forget(ledger: Ledger, place: Place, args: argparse.Namespace) -> int:
    if not args.emails and not args.released and args.older_than is None:
        terminal.complain("Say what to forget: an EMAIL, --released, or --older-than DAYS.")
        return terminal.USAGE
    ledger.begun()
    entries, wanted = Entries(ledger, place, ()), {str(emails.normalize(email)) for email in args.emails}
    rows = [row for row in (entry.row for entry in entries) if _is_meant(row, wanted, args, ledger.clock())]
    done = forget(ledger, rows, lose_keys=args.lose_keys)
    terminal.show(f"{title(row)}: {_outcome(row, outcome)}" for row, outcome in done)
    unknown = wanted - {email for row in rows for email in _addresses(row)}
    for line in [*entries.problems, *_complaints(done, sorted(unknown), command(args.ledger))]:
        terminal.complain(line)
    if not isinstance(place, FilePlace | PostgresPlace) and Outcome.DONE in _outcomes(done):
        terminal.show(
            ["If the bucket keeps versions, those of what was forgotten are still there. Its own tools remove them."]
        )
    return terminal.DONE if rows and not unknown and _outcomes(done) == {Outcome.DONE} else terminal.NOT_DONE


def _is_meant(row: Row, wanted: Collection[str], args: argparse.Namespace, now: float) -> bool:
    """Whether all that was said to forget fits a row."""
    if wanted and not _addresses(row) & set(wanted):
        return False
    if args.released and row.status not in (Status.RELEASED, Status.DEAD):
        return False
    return args.older_than is None or now - row.changed > args.older_than * _DAY


def _addresses(row: Row) -> set[str]:
    return {row.identity.email, row.identity.internal_email}


def _outcomes(done: Done) -> set[Outcome]:
    return {outcome for _, outcome in done}


def _outcome(row: Row, outcome: Outcome) -> str:
    key = f"key {row.fingerprint}" if row.fingerprint else "answer"
    if outcome is Outcome.BUSY:
        return "not forgotten, because another run is creating this user."
    if outcome is not Outcome.DONE:
        return f"not forgotten, because its {key} may be the only copy of a key that works."
    return f"forgotten, with its {key}." if row.may_hold_live_key else "forgotten."


def _complaints(done: Done, unknown: Sequence[str], shown: str) -> Iterator[str]:
    """What was not done, and what to do about it."""
    if unknown or not done:
        yield f"No ledger entry matches{f' {wording.names(unknown)}' if unknown else ''}."
    kept = sum(outcome is Outcome.HOLDS_KEY for _, outcome in done)
    if kept:
        yield (
            f"{kept} not forgotten. For the same customer under another address, run: {shown} reassign OLD NEW; under another "
            "resource name or id, set aliases. To destroy what is listed above for good, add --lose-keys."
        )
