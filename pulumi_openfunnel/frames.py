"""Where the threads of this process stand."""

from __future__ import annotations

import gc
import sys
from types import FrameType


def current_frames() -> dict[int, FrameType]:
    """``sys._current_frames()``, which can hang before Python 3.12.1 when it sets off a garbage collection.

    See https://github.com/python/cpython/issues/106883.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()  # noqa: SLF001 - documented, for such use
    finally:
        if enabled:
            gc.enable()
