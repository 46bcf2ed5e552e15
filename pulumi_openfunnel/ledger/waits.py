"""Users that wait for another run's answer, without a thread each."""

from __future__ import annotations

import threading
from collections import deque

from .documents import Answer, Run, State, answer_name
from .rules import Ledger
from .turns import Busy

_LOOKED_AT = 100  # users of living runs at one look; the others come next


class Waits:
    """Those that wait. Safe to share between threads; one of them looks, every few seconds.

    Args:
        ledger: where they wait.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[Busy] = deque()
        self._changing = threading.Lock()

    def add(self, busy: Busy) -> None:
        """Somebody waits."""
        with self._changing:
            self._waiting.append(busy)

    def whose(self, busy: Busy) -> Run | None:
        """The run that is waited for, where the store knows it: its machine, its process, its CI job."""
        seen = self._ledger.archive.read(Run, f"runs/{busy.run}")
        return seen.document if seen is not None else None

    def over(self) -> list[Busy]:
        """One look: those that need not wait any more, and are to begin again.

        Each run is looked at once, whoever waits for it; of those that live, some users' documents are read at once.

        Raises:
            LedgerUnusable: when the ledger cannot be read; everybody waits on.
        """
        with self._changing:
            waiting = list(self._waiting)
        lives = {run: self._ledger.owners.lives(run) for run in {one.run for one in waiting}}
        over = [one for one in waiting if not lives[one.run] or self._ledger.is_left(one.attempt)]
        looked = [one for one in waiting if one not in over][:_LOOKED_AT]
        over += self._settled(looked)
        with self._changing:
            left = [one for one in self._waiting if one not in over]
            self._waiting = deque(sorted(left, key=looked.__contains__))
        return over

    def _settled(self, looked: list[Busy]) -> list[Busy]:
        """Those of them whose answer is there, or whose attempt is not open any more."""
        answers = self._ledger.archive.read_many(Answer, [answer_name(one.attempt.answer) for one in looked])
        users = self._ledger.users(one.name for one in looked)
        answered = {name for name, seen in answers.items() if seen.document.whole}
        return [
            one
            for one in looked
            if answer_name(one.attempt.answer) in answered
            or (found := users[one.name].attempt(one.attempt.id) if one.name in users else None) is None
            or found.state is not State.OPEN
        ]
