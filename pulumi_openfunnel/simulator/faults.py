"""Which create-user request goes wrong, and how: by a script, by a seed, or by both."""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field


class Fault(enum.Enum):
    """How a create-user request goes wrong; the value is the name on the command line."""

    RATE_LIMITED = "429"
    RATE_LIMITED_BY_HEADER = "429-header"
    ERROR = "500"
    ERROR_AFTER = "500-after"
    BAD_GATEWAY = "502-html"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"
    HALF_BODY = "half-body"
    ENDLESS = "endless"
    TRICKLE = "trickle"
    GARBAGE = "garbage"
    HOLD = "hold"

    @property
    def before_work(self) -> bool:
        """Whether the request is answered without being looked at: no user is created."""
        return self in _BEFORE_WORK


_BEFORE_WORK = frozenset(
    {Fault.RATE_LIMITED, Fault.RATE_LIMITED_BY_HEADER, Fault.ERROR, Fault.BAD_GATEWAY, Fault.DROP_BEFORE}
)


@dataclass(frozen=True)
class Faults:
    """Which fault the n-th create-user request of a server's life gets. Holds no state: safe to share.

    Attributes:
        script: the fault of the n-th request, counted from 1; stronger than the seed.
        seed: makes the choice for all other requests; it depends on the seed and on n alone.
        rate: the probability, from 0 to 1, that the seed chooses a fault.
        kinds: what the seed chooses from.
        retry_after: seconds that a 429 tells the client to wait; a header rounds them up.
        hold: seconds for which ``Fault.HOLD`` holds the answer back.
        pace: seconds between two bytes of ``Fault.TRICKLE``.

    Raises:
        ValueError: when a number is out of its range, kinds are empty, or a rate comes without a seed.
    """

    script: Mapping[int, Fault] = field(default_factory=dict)
    _: KW_ONLY
    seed: int | None = None
    rate: float = 0.0
    kinds: Collection[Fault] = tuple(Fault)
    retry_after: float = 1
    hold: float = 5.0
    pace: float = 0.05

    def __post_init__(self) -> None:
        if any(number < 1 for number in self.script):
            raise ValueError("requests are counted from 1")
        if not 0 <= self.rate <= 1:
            raise ValueError("the rate of faults is a number from 0 to 1")
        if self.rate and self.seed is None:
            raise ValueError("a rate of faults needs a seed")
        if not self.kinds:
            raise ValueError("there are no kinds of faults to choose from")
        if not all(0 <= seconds < math.inf for seconds in (self.retry_after, self.hold, self.pace)):
            raise ValueError("seconds are a number from 0")

    def of(self, number: int) -> Fault | None:
        """The fault of the request with this number, or None."""
        fault = self.script.get(number)
        if fault is not None or self.seed is None:
            return fault
        digest = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
        if int.from_bytes(digest[:8], "big") >= self.rate * 2**64:
            return None
        kinds = [kind for kind in Fault if kind in self.kinds]
        return kinds[int.from_bytes(digest[8:16], "big") % len(kinds)]
