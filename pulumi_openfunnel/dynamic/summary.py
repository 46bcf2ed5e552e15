"""What is said of many users: progress while they are worked on, and one line for each thing that happened."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from .. import wording
from . import process as engine

_LONG = 5.0  # seconds of work from which on its progress is shown
_LAST = 1.0  # seconds after which no further verb is expected: what is said is better said once than soon

_changed = threading.Condition()
_verbs = 0  # of all rosters, that run now
_said: dict[tuple[str, str, str], list[str]] = {}  # by severity, before and behind the names
_counts: dict[str, Counter[str]] = {}  # by roster: done, failed
_began: dict[str, float] = {}


@contextlib.contextmanager
def verb() -> Iterator[None]:
    """One verb of a roster; the last one that runs says what was gathered."""
    global _verbs  # noqa: PLW0603 - one operation a process
    with _changed:
        _verbs += 1
        _changed.notify_all()
    try:
        yield
    finally:
        with _changed:
            _verbs -= 1
            if _verbs == 0 and _said and not _changed.wait_for(lambda: _verbs > 0, _LAST):
                _say()


def settled(roster: str, *, failed: bool) -> None:
    """One user of a roster is done, or failed."""
    with _changed:
        seconds = time.monotonic() - _began.setdefault(roster, time.monotonic())
        count = _counts.setdefault(roster, Counter())
        count["failed" if failed else "done"] += 1
        line = f"{roster}: {count['done']} users done, {count['failed']} failed, after {seconds:.0f} s."
    if seconds >= _LONG:
        engine.progress(line)


def gather(severity: str, before: str, name: str, behind: str) -> None:
    """A line that is said once, of all the names that it is true of."""
    with _changed:
        _said.setdefault((severity, before, behind), []).append(name)


def _say() -> None:
    for (severity, before, behind), found in _said.items():
        many = f"{len(found)} users: " if len(found) > 1 else ""
        (engine.warn if severity == "WARNING" else engine.info)(f"{before}{many}{wording.names(sorted(found))}{behind}")
    _said.clear()
