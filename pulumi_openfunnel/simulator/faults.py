"""Which create-user request goes wrong, and how: by a script, by a seed, or by both."""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field


class Fault(enum.Enum):
    """How a create-user request goes wrong; the value is the name on the command line.

    Attributes:
        meaning: what happens, in a few words.
        before_work: whether the request is answered without being looked at: no user is created.
    """

    RATE_LIMITED = "429", "asks to wait, in details.retry_after_seconds"
    RATE_LIMITED_BY_HEADER = "429-header", "asks to wait, in Retry-After"
    RATE_LIMITED_FOR_LONG = "429-long", "asks to wait for an hour"
    ERROR = "500", "an error in JSON"
    BAD_GATEWAY = "502-html", "a gateway's page"
    UNAVAILABLE = "503", "asks to wait, with seconds in Retry-After"
    UNAVAILABLE_UNTIL = "503-date", "asks to wait, with a date in Retry-After"
    TIMEOUT = "408", "an error in JSON"
    TOO_EARLY = "425", "an error in JSON"
    UNAUTHORIZED = "401", "OpenFunnel's own refusal, in JSON"
    FORBIDDEN = "403", "OpenFunnel's own refusal, in JSON"
    UNAUTHORIZED_PAGE = "401-html", "a page of somebody else's"
    FORBIDDEN_PAGE = "403-html", "a page of somebody else's, such as a firewall's"
    PROXY_PAGE = "407-html", "a proxy's page"
    DROP_BEFORE = "drop-before", "the connection ends without an answer"

    ERROR_AFTER = "500-after", "an error in JSON, though the user was created", False
    DROP_AFTER = "drop-after", "the user is created, and the connection ends without an answer", False
    HALF_BODY = "half-body", "the connection ends in the middle of the right answer", False
    ENDLESS = "endless", "the user is created, and the body of the answer never ends", False
    TRICKLE = "trickle", "the right answer, byte by byte", False
    GARBAGE = "garbage", "the user is created, and the body of the answer is no JSON", False
    HOLD = "hold", "the right answer, late", False

    meaning: str
    before_work: bool

    def __new__(cls, value: str, meaning: str = "", before_work: bool = True) -> Fault:  # noqa: FBT001, FBT002, PYI034
        fault = object.__new__(cls)
        fault._value_ = value
        fault.meaning = meaning
        fault.before_work = before_work
        return fault

    @property
    def passes(self) -> bool:
        """Whether the same request may well succeed a moment later."""
        return self not in {Fault.RATE_LIMITED_FOR_LONG, Fault.UNAUTHORIZED, Fault.FORBIDDEN}


class WrongValue(ValueError):
    """What a simulator was told cannot be.

    Attributes:
        names: the arguments that are wrong, alone or together.
        rule: what is true of right ones.
    """

    def __init__(self, *names: str, rule: str) -> None:
        super().__init__(f"{' and '.join(names)} {rule}")
        self.names = names
        self.rule = rule


def check_seconds(name: str, value: float) -> None:
    """Whether a number is one of seconds.

    Raises:
        WrongValue: when not.
    """
    if not 0 <= value < math.inf:
        raise WrongValue(name, rule="is a number from 0, in seconds")


@dataclass(frozen=True)
class Faults:
    """Which fault the n-th create-user request of a server's life gets. Holds no state: safe to share.

    Attributes:
        script: the fault of the n-th request, counted from 1; stronger than the seed.
        seed: makes the choice for all other requests; it depends on the seed and on n alone.
        rate: the probability, from 0 to 1, that the seed chooses a fault.
        kinds: what the seed chooses from: those that pass, unless others are named.
        retry_after: seconds that a 429 or a 503 asks the client to wait; a header rounds them up.
        hold: seconds for which ``Fault.HOLD`` holds the answer back.
        pace: seconds between two bytes of ``Fault.TRICKLE``.

    Raises:
        ValueError: when a number is out of its range, kinds are empty, or of seed and rate one is missing.
    """

    script: Mapping[int, Fault] = field(default_factory=dict)
    _: KW_ONLY
    seed: int | None = None
    rate: float | None = None
    kinds: Collection[Fault] = tuple(fault for fault in Fault if fault.passes)
    retry_after: float = 1
    hold: float = 5.0
    pace: float = 0.05

    def __post_init__(self) -> None:
        if any(number < 1 for number in self.script):
            raise WrongValue("script", rule="is given with requests counted from 1")
        if (self.seed is None) != (self.rate is None):
            raise WrongValue("seed", "rate", rule="belong together")
        if self.rate is not None and not 0 <= self.rate <= 1:
            raise WrongValue("rate", rule="is a number from 0 to 1")
        if not self.kinds:
            raise WrongValue("kinds", rule="are at least one")
        for name in ("retry_after", "hold", "pace"):
            check_seconds(name, getattr(self, name))

    def of(self, number: int) -> Fault | None:
        """The fault of the request with this number, or None."""
        fault = self.script.get(number)
        if fault is not None or self.seed is None or self.rate is None:
            return fault
        digest = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
        if int.from_bytes(digest[:8], "big") >= self.rate * 2**64:
            return None
        kinds = [kind for kind in Fault if kind in self.kinds]
        return kinds[int.from_bytes(digest[8:16], "big") % len(kinds)]
