"""Arguments of the commands, of which no complaint shows a secret: a URL may hold a password, a stray word may be a key."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from typing import NoReturn

_SECRET = re.compile(r"\S*(://|\bof_).*", re.DOTALL)
"""From where on a complaint may repeat a URL or a key that was given in a wrong place."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints end where a URL or a key begins."""

    def error(self, message: str) -> NoReturn:
        """See argparse."""
        super().error(_SECRET.sub("(not shown)", message))


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; of those that are too many, only options are named.

    Args:
        parser: what reads them.
        argv: the arguments; those of the process when None.

    Raises:
        SystemExit: when they cannot be used; 0 after ``--help``.
    """
    args, unknown = parser.parse_known_args(argv)
    options = [word.partition("=")[0] for word in unknown if word.startswith("--")]
    if options:
        parser.error(f"options that are not known: {' '.join(options)}")
    if unknown:
        parser.error("there are more arguments than the command takes")
    return args


def days(text: str) -> float:
    """A number of days, as the type of an argument.

    Raises:
        argparse.ArgumentTypeError: when it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError("is not a number of days, such as 30")
    return number
