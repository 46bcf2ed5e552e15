"""How a use case talks to whoever runs it, and learns that it is to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Say(Protocol):
    """Shows one line. Lines that differ in their user alone may be shown as one."""

    def __call__(self, who: str | None, text: str, detail: str | None = None) -> None:
        """Show it.

        Args:
            who: the user that it is about; None when it is about none.
            text: what happened and what to do, the same for every user.
            detail: what is true of this user alone; left out where many users share the line.
        """


def _say_nothing(who: str | None, text: str, detail: str | None = None) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Operation:
    """One ``pulumi up``, or whatever else runs a use case.

    Attributes:
        warn: shows a warning.
        info: shows a line that asks for nothing.
        progress: shows a line that is of interest for the moment.
        stopping: whether no further request is to start.
        wait: sleeps for so many seconds, less when the operation is to stop.
        gives_up: whether many users stop trying together, when OpenFunnel answers none of them.
    """

    warn: Say = _say_nothing
    info: Say = _say_nothing
    progress: Callable[[str], None] = lambda _line: None
    stopping: Callable[[], bool] = lambda: False
    wait: Callable[[float], object] = time.sleep
    gives_up: bool = False


def line(who: str | None, text: str, detail: str | None = None) -> str:
    """What was said, as one line."""
    return (f"{who}: " if who else "") + text + (f" ({detail})" if detail else "")


SILENT = Operation()
