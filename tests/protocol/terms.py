"""The words that the search, its worlds and its scripts share."""

from __future__ import annotations

from dataclasses import dataclass

CONFLICT, SAME, NEW = "409", "the same key", "a new key"
"""What the API answers for a user that exists."""

NEW_JUDGED = "a new key, and who holds the one before is judged"
"""The same as a new key; a key that is handed over must be the one that counts, now and later."""

ONE_FOR_ALL = "one key for all"
"""An API that is out of its mind: it answers everybody with the same key."""

NO_ANSWER, HALF = "no answer", "half an answer"
"""What comes of a request that OpenFunnel answered, and that went wrong on its way back."""

TAKEN, EXISTS, PROBABLY, LOST, NO_LEDGER = "another end user's", "exists", "probably ours", "lost", "no ledger"
"""What a process comes to that gets no key."""

Choice = tuple[str, ...]


class Wrong(AssertionError):
    """What must not be, and is."""


@dataclass(frozen=True)
class Budget:
    """How often each thing may go wrong on one path.

    Attributes:
        crashes: processes that die.
        stalls: leases of living processes that expire.
        lost: writes that are done, and whose reply looks like a conflict.
        failed: writes whose reply is an error: done, not done, or done later.
        dropped: API answers that never come.
        cut: API answers of which half comes.
    """

    crashes: int = 0
    stalls: int = 0
    lost: int = 0
    failed: int = 0
    dropped: int = 0
    cut: int = 0
