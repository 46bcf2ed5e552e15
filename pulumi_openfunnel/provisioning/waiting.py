"""Users that another run is creating: waited for together, with one look at a time, however many wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import LedgerUnusable
from ..ledger.waits import Waits
from . import refusals

if TYPE_CHECKING:
    from ..ledger.rules import Ledger
    from ..ledger.turns import Busy
    from ..operation import Operation

LOOK = 2.0  # seconds between two looks at what other runs do
_FIRST_LOOK = 0.3  # seconds until the first one: most waits are short


class Room:
    """Where those wait whose users another run is creating. Safe to share between threads.

    Args:
        ledger: where the others are seen.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._waits = Waits(ledger)
        self._changed = threading.Condition()
        self._over: set[int] = set()  # of those that wait, by id, whose wait is over
        self._looking = False

    def wait(self, busy: Mapping[str, Busy], until: float, operation: Operation) -> list[str]:
        """Wait until one of the users is to be begun again, or more.

        Args:
            busy: by internal email, who is at the user.
            until: when the patience is over, on the monotonic clock.
            operation: who runs this; the wait ends when it stops.

        Returns:
            Those that are to be begun again.

        Raises:
            InProgress: when the time is over.
            Stopped: when the operation stops.
            LedgerUnusable: when the ledger cannot be read.
        """
        for who, one in busy.items():
            operation.progress(who, f"{self._whose(one)} is creating this user. Waiting for its answer.")
            self._waits.add(one)
        pause = _FIRST_LOOK
        while not (over := self._look_or_wait(busy, pause, operation)):
            if operation.stopping():
                raise refusals.cancelled(min(busy))
            if time.monotonic() >= until:
                raise refusals.in_progress(min(busy))
            pause = LOOK
        return over

    def _look_or_wait(self, busy: Mapping[str, Busy], pause: float, operation: Operation) -> list[str]:
        """One pause, and one look by whoever comes first; those whose wait is over."""
        with self._changed:
            looks, self._looking = not self._looking, True
            if not looks:
                self._changed.wait(pause)
        if looks:
            try:
                operation.wait(pause)
                self._look()
            finally:
                with self._changed:
                    self._looking = False
                    self._changed.notify_all()
        with self._changed:
            over = [who for who, one in busy.items() if id(one) in self._over]
            self._over.difference_update(id(busy[who]) for who in over)
            return over

    def _look(self) -> None:
        try:
            over = self._waits.over()
        except LedgerUnusable as error:
            if not error.transient:
                raise
            return  # everybody waits on
        with self._changed:
            self._over.update(id(busy) for busy in over)

    def _whose(self, busy: Busy) -> str:
        """The run that is waited for, where the ledger knows where it runs."""
        try:
            run = self._waits.whose(busy)
        except LedgerUnusable:
            run = None
        if run is None:
            return "another run"
        return f"another run ({run.job or f'process {run.process} on {run.host}'})"
