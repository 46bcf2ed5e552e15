"""Waiting for something that another process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(truth: Callable[[], object], seconds: float) -> bool:
    """Wait for something.

    Args:
        truth: whether it is there; asked again and again.
        seconds: for how long.

    Returns:
        Whether it came.
    """
    deadline = time.monotonic() + seconds
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
