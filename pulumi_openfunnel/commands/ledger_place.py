"""Which ledger a command is about, and how it is opened."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import ledger_urls, settings
from ..errors import InvalidSetting, OpenFunnelError
from ..ledger.opening import ledger_at
from ..ledger.rules import Ledger
from ..places import FilePlace, Place, PostgresPlace
from ..provisioning.refusals import SHOW
from . import terminal

URL = "/path/to/ledger.db, s3://…, gs://…, azblob://… or postgres://…"
FROM_CONFIG = 'export OPENFUNNEL_LEDGER="$(pulumi config get openfunnel:ledger)"'
"""How a shell comes to know the ledger of a stack, password and all, without showing it."""

Work = Callable[[Ledger, Place, argparse.Namespace], int]
"""What an action does to a ledger; its exit status."""


def add_option(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """Add ``--ledger``."""
    parser.add_argument(
        "--ledger", metavar="URL", default=default, help=f"the ledger: {URL} (default: OPENFUNNEL_LEDGER, or the file)"
    )


def action(parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int]) -> None:
    """Let a parser's command do this; the list's options are refused."""

    def run(args: argparse.Namespace) -> int:
        if args.show_keys or args.failed or args.json:
            parser.error("--show-keys, --failed and --json are options of the list")
        return terminal.run(lambda: work(args))

    parser.set_defaults(run=run)


def action_on_ledger(parser: argparse.ArgumentParser, work: Work) -> None:
    """The same with ``--ledger``, for a ledger that is there."""
    add_option(parser, default=argparse.SUPPRESS)

    def opened_for(args: argparse.Namespace) -> int:
        place = place_of(args.ledger)
        if place is None or not is_there(place):
            terminal.complain(missing(place))
            return terminal.NOT_DONE
        with opened(place) as ledger:
            return work(ledger, place, args)

    action(parser, opened_for)


def place_of(url: str | None, name: str = "--ledger") -> Place | None:
    """The place of a ledger; None when it is off.

    Args:
        url: as the command line gives it, where a file's path may be relative; None for the environment's.
        name: the argument that gave it.

    Raises:
        InvalidSetting: when it is no place. The message shows nothing of a URL.
    """
    if url is None:
        return settings.ledger_place(lambda _key: None, os.environ)
    if not url.strip():
        raise InvalidSetting(name, f"{name} is empty. Give {URL}.")
    try:
        return ledger_urls.parse(_absolute(url.strip()))
    except InvalidSetting as error:
        problem = str(error)
    raise InvalidSetting(name, f"{name} cannot be used: {problem}")


def _absolute(url: str) -> str:
    if "://" in url or url.lower() == ledger_urls.OFF or url.startswith("~"):
        return url
    return str(Path(url).absolute())


def is_there(place: Place) -> bool:
    """Whether there can be anything to look at; only of a file it is known beforehand."""
    if not isinstance(place, FilePlace):
        return True
    try:
        place.path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def missing(place: Place | None) -> str:
    """Why there is no ledger to look at."""
    if place is None:
        return "The ledger is off: no ledger is kept."
    where = f"There is no ledger at {place}: no user was requested with it."
    if not isinstance(place, FilePlace) or not place.default:
        return where
    return f"{where} For the one that a stack's config names: {FROM_CONFIG}."


@contextlib.contextmanager
def opened(place: Place, *, create: bool = False) -> Iterator[Ledger]:
    """The ledger of a place, closed at the end.

    Raises:
        LedgerUnusable: when it cannot be used.
    """
    ledger = ledger_at(place, create=create)
    try:
        yield ledger
    except BaseException:
        with contextlib.suppress(OpenFunnelError):  # the first error is the one to tell
            ledger.close()
        raise
    ledger.close()


def command(url: str | None) -> str:
    """The command, for advice about the same ledger; a URL that may hold a password is not repeated."""
    if url is None:
        return SHOW
    shown = "URL" if isinstance(place_of(url), PostgresPlace) else shlex.quote(url)
    return f"{SHOW} --ledger {shown}"
