"""The pace of all requests of a process to one API, and whether it answers anybody."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone

from ..errors import RateLimited, Stopped, Unreachable
from ..operation import Operation

IN_FLIGHT = 32  # create-user requests at once, and as many looks at a balance
OUTAGE = 20.0  # seconds without an answer, before nobody of many users is asked for any more
MOST_WAITS = 900.0  # seconds of waits that OpenFunnel asks for, for one user
LONG_WAIT = 3.0  # seconds; a longer wait is shown
_LOOK = 0.2  # seconds between two looks for a free place


class Outage:
    """Whether an API has answered nobody for a while: as many failures in a row as there are requests at once.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._failures = 0  # in a row
        self._since = 0.0

    @property
    def lasts(self) -> bool:
        """Whether nobody else needs to be asked for."""
        return self._failures >= IN_FLIGHT and time.monotonic() - self._since >= OUTAGE

    def failed(self) -> None:
        """A request came to nothing, as others may."""
        with self._changed:
            if self._failures == 0:
                self._since = time.monotonic()
            self._failures += 1

    def answered(self) -> None:
        """A request was answered."""
        with self._changed:
            self._failures = 0


class Waits:
    """How long OpenFunnel may still ask one user to wait: 15 minutes in all, counted from its first request."""

    def __init__(self) -> None:
        self.left = MOST_WAITS
        self.asked = False

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count the time that is waited inside the context, once there was a request."""
        began = time.monotonic()
        yield
        if self.asked:
            self.left -= time.monotonic() - began


class Pace:
    """The pace of all requests to one API: at most 32 at once, none while OpenFunnel asked to wait, and fewer then.

    A 429 halves the number of requests that may run at once, and each answer allows one more: of an API that limits the
    rate about half of the requests are refused at the most, and one that refuses some at any pace is asked no slower.

    Safe to share between threads, which is what it is for.

    Attributes:
        outage: of those requests.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0  # requests
        self._allowed = float(IN_FLIGHT)  # requests at once
        self._lowered = 0.0  # when fewer were allowed last
        self._opens = 0.0  # when OpenFunnel wants to be asked again
        self.outage = Outage()

    @contextlib.contextmanager
    def turn(self, who: str, waits: Waits, operation: Operation) -> Iterator[None]:
        """Wait until a request may start, and hold its place while it runs.

        Args:
            who: the user it is for.
            waits: how long OpenFunnel may still ask it to wait.
            operation: where progress is shown; nothing starts once it stops.

        Raises:
            Stopped: when the operation stops.
            RateLimited: when OpenFunnel asked for a longer wait.
            Unreachable: when many users give up together.
        """
        while True:
            _check_stopping(who, operation)
            if operation.gives_up and self.outage.lasts:
                raise _out(who)
            if self._start():
                break
            wait = self._opens - time.monotonic()
            if wait > waits.left:
                raise _too_long(who, wait, asked=waits.asked)
            if wait > LONG_WAIT:
                operation.progress(None, f"OpenFunnel asked to wait: requests go on in {wait:.0f} s.")
            if wait > 0:
                with waits.counted():
                    operation.wait(min(wait, 1.0))
        try:
            _check_stopping(who, operation)
            yield
        finally:
            self._end()

    def hold(self, seconds: float, since: float) -> None:
        """Start nothing for so many seconds, and fewer requests afterwards.

        Args:
            seconds: as OpenFunnel asked.
            since: when the request that it refused started, on the monotonic clock.
        """
        with self._changed:
            now = time.monotonic()
            jitter = random.uniform(0, 0.05 + seconds / 10)  # noqa: S311 - not for secrets
            self._opens = max(self._opens, now + seconds + jitter)
            if since >= self._lowered:  # requests that were on their way at the last one say nothing new
                self._allowed = max(self._allowed / 2, 1.0)
                self._lowered = now

    def answered(self) -> None:
        """A request was answered: one more may run at once again."""
        self.outage.answered()
        with self._changed:
            self._allowed = min(self._allowed + 1, float(IN_FLIGHT))
            self._changed.notify()

    def _start(self) -> bool:
        """Take a place, when OpenFunnel may be asked now and one is free, or becomes free in a moment."""
        with self._changed:
            if self._is_open() and not self._has_place():
                self._changed.wait(_LOOK)
            starts = self._is_open() and self._has_place()
            if starts:
                self._running += 1
            return starts

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify()

    def _is_open(self) -> bool:
        return self._opens <= time.monotonic()

    def _has_place(self) -> bool:
        return self._running + 1 <= self._allowed


def _check_stopping(who: str, operation: Operation) -> None:
    if operation.stopping():
        raise Stopped(who, "no further request was started: the operation was cancelled. Run pulumi up again.")


def _out(who: str) -> Unreachable:
    return Unreachable(
        who,
        f"was not asked for: {IN_FLIGHT} requests to OpenFunnel in a row failed. Run pulumi up again.",
        sent=False,
        transient=False,
    )


def _too_long(who: str, seconds: float, *, asked: bool) -> RateLimited:
    until = datetime.fromtimestamp(time.time() + seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    error = RateLimited(
        who,
        f"OpenFunnel asked to wait until {until}, which is longer than one user waits ({MOST_WAITS / 60:.0f} minutes). "
        f"{'' if asked else 'No request was sent. '}Run pulumi up again then.",
        seconds,
    )
    error.transient = False
    return error
