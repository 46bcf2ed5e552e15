"""How a use case speaks to whoever runs it, and hears that it is to stop. No Pulumi in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _say_nothing(_message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Operation:
    """One ``pulumi up``, or whatever else runs a use case.

    Attributes:
        warn: shows a warning, one line that names its user.
        info: shows a line that asks for nothing.
        progress: shows a line that is of interest for the moment.
        stopping: whether no further request is to start.
        wait: sleeps for so many seconds, less when the operation is to stop.
        gives_up: whether many users stop trying together, when OpenFunnel answers none of them.
    """

    warn: Callable[[str], None] = _say_nothing
    info: Callable[[str], None] = _say_nothing
    progress: Callable[[str], None] = _say_nothing
    stopping: Callable[[], bool] = lambda: False
    wait: Callable[[float], object] = time.sleep
    gives_up: bool = False


SILENT = Operation()
