"""What was asked of a simulator and what it did, for audits that do not trust its clients."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .faults import Fault


@dataclass(frozen=True)
class Entry:
    """One create-user request.

    Attributes:
        n: the request's number in its server's life, counted from 1 in order of arrival.
        at: its arrival, in seconds since the epoch.
        email: the address asked for; None when there is none.
        account: the email of the account whose key came with it; None when nobody has that key.
        fault: the fault played.
        status: the status of the answer, whether or not it arrived; None when none was sent.
        done: whether a user was created or a key handed out.
        key: that key; not shown by ``repr``.
    """

    n: int
    at: float
    email: str | None
    account: str | None
    fault: Fault | None
    status: int | None
    done: bool
    key: str | None = field(repr=False)


class Record:
    """Entries in the order in which the work was done. Safe to share between threads.

    Args:
        file: also gets each entry as a line of JSON, keys included, and is readable by its owner alone.

    Raises:
        OSError: when the file cannot be written.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._append(b"")

    @property
    def entries(self) -> list[Entry]:
        """All entries so far."""
        with self._lock:
            return list(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep an entry; its line is with the system when this returns.

        Raises:
            OSError: when the file cannot be written.
        """
        row = asdict(entry) | {"fault": entry.fault and entry.fault.value}
        with self._lock:
            self._entries.append(entry)
            self._append(json.dumps(row).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        """One write for the whole line: a simulator that is killed leaves no half of one."""
        if self._file is None:
            return
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.fchmod(handle, 0o600)
            if os.write(handle, line) != len(line):
                raise OSError(f"{self._file} did not take a whole line")
        finally:
            os.close(handle)
