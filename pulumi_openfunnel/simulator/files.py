"""Files of lines that hold keys: their owner's alone, and without half a line."""

from __future__ import annotations

import os
import weakref
from pathlib import Path


class Lines:
    """A file to which lines are added, each with one write: a simulator that is killed leaves no half of one.

    Args:
        file: is made where it is missing, and readable by its owner alone from then on. It stays open.

    Raises:
        OSError: when it cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self._handle)
        os.fchmod(self._handle, 0o600)

    def add(self, line: str) -> None:
        """Add a line, which is given without its line break.

        Raises:
            OSError: when it cannot be written.
        """
        data = f"{line}\n".encode()
        if os.write(self._handle, data) != len(data):
            raise OSError(f"{self._file} did not take a whole line")
