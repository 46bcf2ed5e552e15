"""How a command talks to a terminal, a pipe or a file: whatever they do, there is no traceback."""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from ..errors import OpenFunnelError

DONE, NOT_DONE, USAGE, INTERRUPTED = 0, 1, 2, 130

STATUSES = (
    "exit status: 0 done; 1 not done, or not all of it, as the lines say; 2 wrong arguments, or a key that is not set; "
    "130 interrupted"
)
"""For ``--help``."""


class _OutputLost(Exception):
    """The output cannot be written."""


def run(command: Callable[[], int]) -> int:
    """Run a command. What ends it is one line on standard error.

    Args:
        command: does the work; its exit status.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the encoding cannot show is shown escaped
    try:
        return command()
    except KeyboardInterrupt:
        complain("Interrupted. Nothing is lost: what was begun is done when the same command runs again.")
        return INTERRUPTED
    except OpenFunnelError as error:
        complain(str(error))
    except _OutputLost as error:
        complain(f"The output cannot be written: {error}.")
    except OSError as error:
        complain(f"The ledger cannot be used: {error.strerror or type(error).__name__}.")
    return NOT_DONE


def show(lines: Iterable[str]) -> None:
    """Print lines to standard output; when nobody reads on, as behind ``head``, no further one is asked for."""
    for line in lines:
        if not _written(f"{plain(line)}\n"):
            return
    _written("")


def complain(line: str) -> None:
    """Print one line to standard error."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(plain(line), file=sys.stderr)


def plain(text: str) -> str:
    """A text on one line, with what a terminal would not show as it is escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def ask(prompt: str) -> str:
    """A secret, without an echo where somebody types it; empty when there is none."""
    if sys.stdin is None:
        return ""
    try:
        return (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    except EOFError:
        return ""


def _written(text: str) -> bool:
    """Whether a text could be written; an empty one is the end, which is written out."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(text)
        if not text:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        return False
    except OSError as error:
        _drop(sys.stdout)
        raise _OutputLost(error.strerror) from None
    return True


def _drop(stream: TextIO) -> None:
    """What is not written yet goes nowhere, so that the interpreter does not fail over it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
