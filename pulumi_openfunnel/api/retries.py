"""When a request for one user is made again."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import ProvisioningError, RateLimited
from ..operation import Operation
from .answers import MAX_WAIT
from .pace import LONG_WAIT, Pace

MAX_RATE_LIMITS = 50  # 429 answers for one user, after which the server does not mean to answer otherwise
LONGEST = 30.0  # seconds between two requests, at the most

T = TypeVar("T")


def persist(request: Callable[[float], T], who: str, *, timeout: float, pace: Pace, operation: Operation) -> T:
    """Make a request until it is answered for good.

    429 holds back the whole process for as long as OpenFunnel asks, which does not count. Other transient failures
    back off exponentially, with full jitter, for as long as the time lasts.

    Args:
        request: one exchange; it gets the seconds that are left.
        who: the user it is for.
        timeout: seconds of trying.
        pace: the pace to keep.
        operation: where progress is shown; nothing starts once it stops.

    Raises:
        ProvisioningError: the last one; with how often it was tried, when that is more than once.
    """
    patience = _Patience(who, timeout, pace, operation)
    failure: ProvisioningError
    for attempts in itertools.count(1):
        try:
            return patience.once(request)
        except RateLimited as error:
            failure, pause = error, 0.0  # it is the pace that waits
        except ProvisioningError as error:
            failure, pause = error, backoff(attempts)
        if not failure.transient:
            raise failure
        if patience.is_over(pause):
            failure.attempts = attempts
            raise failure
        patience.sleep(pause, failure)
    raise AssertionError("counting has no end")


def backoff(attempts: int) -> float:
    """Seconds to wait after so many failures: exponential, with full jitter.

    See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    doublings = min(attempts - 1, 10)  # more say no more, and a day of them is more than a float holds
    return random.uniform(0, min(2.0**doublings, LONGEST))  # noqa: S311 - not for secrets


class _Patience:
    """What trying for one user has taken so far."""

    def __init__(self, who: str, timeout: float, pace: Pace, operation: Operation) -> None:
        self._who = who
        self._left = timeout  # seconds of trying
        self._least = timeout / 10  # seconds that a request needs: one cut short leaves open whether its user exists
        self._limited = 0  # 429 answers
        self._pace = pace
        self._operation = operation

    def once(self, request: Callable[[float], T]) -> T:
        """One request, in its turn."""
        with self._pace.turn(self._who, self._left, self._operation):
            started = time.monotonic()
            try:
                result = request(self._left)
            except RateLimited as error:
                self._hold_back(error, started)
                raise
            except ProvisioningError as error:
                if error.transient:
                    self._pace.outage.failed()
                raise
            finally:
                self._left -= time.monotonic() - started
            self._pace.answered()
            return result

    def is_over(self, pause: float) -> bool:
        """Whether there is no time for another request after a pause."""
        out = self._operation.gives_up and self._pace.outage.lasts
        return out or self._limited >= MAX_RATE_LIMITS or self._left - pause < self._least

    def sleep(self, seconds: float, failure: ProvisioningError) -> None:
        """Wait, less when the operation stops."""
        if seconds > LONG_WAIT:
            self._operation.progress(f"{failure} Trying again in {seconds:.0f} s.")
        self._left -= seconds
        end = time.monotonic() + seconds
        while not self._operation.stopping() and (left := end - time.monotonic()) > 0:
            self._operation.wait(left)

    def _hold_back(self, error: RateLimited, since: float) -> None:
        """Hold back every request of the process for as long as the server asked; for longer each time if it did not."""
        self._limited += 1
        seconds = min(2.0**self._limited, 30.0) if error.retry_after is None else error.retry_after
        if seconds > MAX_WAIT:
            self._operation.warn(
                self._who, f"OpenFunnel asked to wait for {seconds:g} seconds, taken as {MAX_WAIT:.0f}."
            )
        self._pace.hold(min(seconds, MAX_WAIT), since)
