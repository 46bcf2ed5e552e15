"""The seam that tells who of those that asked for users still lives."""

from __future__ import annotations

from typing import Protocol


class Owners(Protocol):
    """The runs that ask for users. Safe to share between threads."""

    def current(self) -> str:
        """The run that this process asks under now; announced before it is returned, so that others see it live.

        A run that lapsed is over for ever: the next call gives another name.
        """

    def lives(self, run: str) -> bool:
        """Whether a run lives, or cannot be said to be dead yet. This process's current one does."""

    def confirm(self, run: str) -> bool:
        """Immediately before a request is sent: whether the run is still the current one and surely lives.

        A lease is renewed here, and waited for, when its last renewal is more than a few seconds old.
        """

    def others(self) -> list[str]:
        """The runs of other processes that live, or cannot be said to be dead yet; for what only one may do."""

    def end(self) -> None:
        """End this process's run, so that nobody waits for it; nothing of it is left behind."""
