"""Trying again what may pass, within a bound."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import LedgerUnusable

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 4.0

T = TypeVar("T")


def patiently(seconds: float, attempt: Callable[[], T]) -> T:
    """Make an attempt, again and again while what stops it may pass, with exponential backoff and full jitter.

    Args:
        seconds: when they are over, no further attempt starts.
        attempt: bounded in time by itself.

    Raises:
        LedgerUnusable: the last attempt's.
    """
    ends = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return attempt()
        except LedgerUnusable as error:
            failure = error
        wait = random.uniform(0, pause)  # noqa: S311 - jitter
        if not failure.transient or time.monotonic() + wait > ends:
            raise failure
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)
