"""``python -m pulumi_openfunnel ledger``: what the ledger holds, and what to do about it."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from ..api.answers import believe
from ..errors import AnswerNotBelieved, KeySealed, OpenFunnelError
from ..ledger.ledger import Ledger
from ..ledger.rows import Row, Status
from ..ledger.sealing import Seal, seals
from ..provisioning.kept import open_row
from ..settings import LEDGER_KEY, decoded_ledger_key, ledger_file, ledger_key

OLD_KEY = "OPENFUNNEL_LEDGER_OLD_KEY"
"""The variable that holds the key that the rows were sealed under, for ``rekey``."""

_API_KEY = "OPENFUNNEL_API_KEY"
_DAY = 86400.0  # seconds


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the package's."""
    ledger = commands.add_parser(
        "ledger",
        help="what was asked for and issued on this machine, and what to do next",
        description="What was asked for and issued on this machine, and what to do next. The file is the one that "
        "OPENFUNNEL_LEDGER names, else the default one; give --file when the stack's config names another.",
    )
    ledger.add_argument("--file", type=Path, metavar="PATH", help="the ledger's file")
    ledger.add_argument(
        "--show-keys",
        action="store_true",
        help=f"show the keys as well; they open with {LEDGER_KEY} or {_API_KEY}, the provisioner key",
    )
    ledger.set_defaults(run=_command(_list))
    actions = ledger.add_subparsers(metavar="ACTION")
    forget = actions.add_parser("forget", help="remove entries for good, keys included")
    forget.add_argument("emails", nargs="*", metavar="EMAIL", help="an end user's address, or an internal email")
    forget.add_argument("--released", action="store_true", help="those whose user left its stack, and dead ones")
    forget.add_argument("--older-than", type=float, metavar="DAYS", help="of these, what did not change since")
    forget.set_defaults(run=_command(_forget))
    rekey = actions.add_parser(
        "rekey",
        help="seal every key anew, after the provisioner key was rotated",
        description=f"Seal every key under {LEDGER_KEY} or, without it, {_API_KEY}. The key that they are sealed under "
        f"now is taken from {OLD_KEY}, or asked for.",
    )
    rekey.set_defaults(run=_command(_rekey))


def _command(action: Callable[[Ledger, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The action on the ledger that is there; its errors as one line."""

    def run(args: argparse.Namespace) -> int:
        try:
            path = args.file.absolute() if args.file is not None else ledger_file(lambda _key: None, os.environ)
            if path is None:
                print("The ledger is off: OPENFUNNEL_LEDGER says so.")
                return 0
            if not os.path.lexists(path):
                print(f"There is no ledger at {path}: nothing was asked for from here.")
                return 0
            ledger = Ledger(path)
            try:
                return action(ledger, args)
            finally:
                ledger.close()
        except OpenFunnelError as error:
            print(error, file=sys.stderr)
            return 1

    return run


def _list(ledger: Ledger, args: argparse.Namespace) -> int:
    rows = ledger.rows()
    at_hand = _at_hand() if args.show_keys else []
    for row in rows:
        identity = row.identity
        print(f"{identity.email} -> {identity.internal_email}: {row.status.value} {_when(row.changed)}")
        print(
            f"    by {identity.user_id} at {identity.base_url}"
            + (f", key {row.fingerprint}" if row.fingerprint else "")
        )
        print(f"    {_next(row, asked_for=ledger.is_asked_for(row))}")
        if args.show_keys and row.sealed is not None:
            print(f"    {_shown(row, at_hand)}")
    print(f"{len(rows)} {'entry' if len(rows) == 1 else 'entries'} in {ledger.path}.")
    return 0


def _next(row: Row, *, asked_for: bool) -> str:
    """What an operator does about a row."""
    if asked_for:
        return "A run that lives is asking for it right now: wait for that run."
    if row.status is Status.ASKED and row.unanswered:
        return (
            "Its answer was lost, so the user may exist. Run pulumi up: if OpenFunnel says that it exists, the error tells "
            "how to get its key."
        )
    if row.status is Status.ANSWERED and row.problem is not None:
        return (
            f"This answer is not used: {row.problem}. Look at it with --show-keys, or ask OpenFunnel; then forget it."
        )
    return {
        Status.ASKED: "Nothing was created. Run pulumi up.",
        Status.REFUSED: "OpenFunnel refused it. Mend what the error said, and run pulumi up.",
        Status.ANSWERED: "Its key is safe here and may not be in the state yet. Run pulumi up: it is handed over.",
        Status.ISSUED: "Nothing to do. Should its stack not know the key, pulumi up brings it back from here.",
        Status.RELEASED: "It left its stack, and its key works on. Declared again, it gets this key; or forget it.",
        Status.DEAD: f"Its key is not used any more: {row.problem}. Forget it when it is of no interest.",
    }[row.status]


def _shown(row: Row, at_hand: list[Seal]) -> str:
    """The key that a row holds, or why it cannot be shown, or the answer that is none."""
    try:
        answer = open_row(row, at_hand)
    except KeySealed:
        return f"(sealed under another key: set {_API_KEY} or {LEDGER_KEY} to the one it was sealed under)"
    try:
        return f"api_key: {believe(row.identity.internal_email, '', 200, answer).api_key}"
    except AnswerNotBelieved:
        return f"answer: {answer!r}"


def _forget(ledger: Ledger, args: argparse.Namespace) -> int:
    if not args.emails and not args.released and args.older_than is None:
        print("Say what to forget: an EMAIL, --released, or --older-than DAYS.", file=sys.stderr)
        return 2
    emails = {email.strip().lower() for email in args.emails}
    rows = [row for row in ledger.rows() if _meant(row, emails, args.released, args.older_than)]
    asked_for = [row for row in rows if ledger.is_asked_for(row)]
    ledger.forget([row for row in rows if row not in asked_for])
    for row in rows:
        outcome = "not forgotten: a run that lives is asking for it" if row in asked_for else "forgotten"
        print(
            f"{row.identity.email} -> {row.identity.internal_email}: {row.status.value} {_when(row.changed)}: {outcome}."
        )
    if not rows:
        print("Nothing in the ledger is meant by that.")
    return 1 if asked_for or not rows else 0


def _meant(row: Row, emails: set[str], released: bool, older_than: float | None) -> bool:  # noqa: FBT001
    """Whether all that was said to forget fits a row."""
    if emails and not emails & {row.identity.email.lower(), row.identity.internal_email}:
        return False
    if released and row.status not in (Status.RELEASED, Status.DEAD):
        return False
    return older_than is None or time.time() - row.changed > older_than * _DAY


def _rekey(ledger: Ledger, _args: argparse.Namespace) -> int:
    new = _at_hand()
    if not new:
        print(f"Set {_API_KEY} or {LEDGER_KEY} to the key to seal under.", file=sys.stderr)
        return 2
    old = _old_seals()
    sealed = [row for row in ledger.rows() if row.sealed is not None and row.key_id != new[0].key_id]
    stuck = sum(not _reseal(ledger, row, new, old) for row in sealed)
    print(f"{len(sealed) - stuck} sealed anew" + (f", {stuck} did not open with the old key." if stuck else "."))
    return 1 if stuck else 0


def _reseal(ledger: Ledger, row: Row, new: list[Seal], old: list[Seal]) -> bool:
    """Seal a row's answer anew, when it opens."""
    try:
        answer = open_row(row, new + old)
    except KeySealed:
        return False
    ledger.reseal(row, new[0].seal(answer, row.identity.bound), new[0].key_id)
    return True


def _at_hand() -> list[Seal]:
    """The seals that the environment holds."""
    return seals(ledger_key(os.environ), (os.environ.get(_API_KEY) or "").strip() or None)


def _old_seals() -> list[Seal]:
    """The seals that the old key may mean: it may be a ledger's own key, or a provisioner key."""
    text = (os.environ.get(OLD_KEY) or _asked_for(f"The key that the ledger is sealed under now ({OLD_KEY}): ")).strip()
    return seals(decoded_ledger_key(text), text or None)


def _asked_for(prompt: str) -> str:
    """A secret, without an echo where somebody types it."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
