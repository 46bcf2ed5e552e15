"""What is said of many users: progress while they are worked on, and one line for each thing that happened."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from .. import wording
from ..operation import Operation, Say
from .log import Log

_LONG = 5.0  # seconds of work from which on its progress is shown
_LAST = 1.0  # seconds after which no further verb is expected: what is said is better said once than soon


class Summary:
    """What all verbs of all rosters say together. Safe to share between threads.

    Args:
        log: where it is said.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._changed = threading.Condition()
        self._verbs = 0  # that run now
        self._said: dict[tuple[Say, str], list[str]] = {}  # of whom, by what is true of them
        self._counts: dict[str, Counter[str]] = {}  # by roster: done, failed
        self._began: dict[str, float] = {}

    def of(self, operation: Operation) -> Operation:
        """The operation, for the users of a roster: each line is said once, with the names of all that it is true of."""
        return replace(
            operation, warn=self._gathering(operation.warn), info=self._gathering(operation.info), gives_up=True
        )

    @contextlib.contextmanager
    def verb(self) -> Iterator[None]:
        """One verb of a roster; the last one that runs says what was gathered."""
        with self._changed:
            self._verbs += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._verbs -= 1
                if self._verbs == 0 and self._said and not self._changed.wait_for(lambda: self._verbs > 0, _LAST):
                    self._say()

    def settled(self, roster: str, *, failed: bool) -> None:
        """One user of a roster is done, or failed."""
        with self._changed:
            seconds = time.monotonic() - self._began.setdefault(roster, time.monotonic())
            count = self._counts.setdefault(roster, Counter())
            count["failed" if failed else "done"] += 1
            line = f"{roster}: {count['done']} users done, {count['failed']} failed, after {seconds:.0f} s."
        if seconds >= _LONG:
            self._log.progress(line)

    def _gathering(self, say: Say) -> Say:
        def gather(who: str | None, text: str, detail: str | None = None) -> None:
            if who is None:
                say(who, text, detail)
                return
            with self._changed:
                self._said.setdefault((say, text), []).append(who)

        return gather

    def _say(self) -> None:
        for (say, text), found in self._said.items():
            many = f"{len(found)} users: " if len(found) > 1 else ""
            say(f"{many}{wording.names(sorted(found))}", text)
        self._said.clear()
