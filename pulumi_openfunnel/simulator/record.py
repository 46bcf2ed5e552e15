"""What was asked of a simulator and what it did, for audits that do not trust its clients."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

from .faults import Fault
from .files import Lines


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
        self._lines = None if file is None else Lines(file)
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

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
        with self._lock:
            self._entries.append(entry)
            if self._lines is not None:
                self._lines.add(json.dumps(vars(entry) | {"fault": entry.fault and entry.fault.value}))
