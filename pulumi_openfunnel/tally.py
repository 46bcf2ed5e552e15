"""What is said of many users: progress while they are worked on, and one line for each thing that happened at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from . import engine, wording

_LONG = 5.0  # seconds of work from which on its progress is shown
_LAST = 0.15  # seconds after which no further verb is expected
_LAST_TO_WARN = 1.0  # the same, when what is said is better said once than soon

_changed = threading.Condition()
_verbs = 0  # of all rosters, that run now
_said: dict[tuple[str, str, str], list[str]] = {}  # by severity, before and behind the names
_counts: dict[str, Counter[str]] = {}  # by roster: wanted, done, failed
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
            to_say = bool(_said) or any(map(_is_many, _counts.values()))
            if _verbs == 0 and to_say and not _changed.wait_for(lambda: _verbs > 0, _LAST_TO_WARN if _said else _LAST):
                _say()


def wanted(roster: str, users: int) -> None:
    """So many users of a roster are going to be asked for."""
    with _changed:
        _began.setdefault(roster, time.monotonic())
        _counts.setdefault(roster, Counter())["wanted"] += users


def settled(roster: str, *, failed: bool) -> None:
    """One of them is done, or failed."""
    with _changed:
        count = _counts[roster]
        count["failed" if failed else "done"] += 1
        seconds = time.monotonic() - _began[roster]
        line = f"{roster}: {_progress(count)}, after {seconds:.0f} s."
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
    for roster, count in _counts.items():
        if _is_many(count):
            engine.info(f"{roster}: {_progress(count)}, in {time.monotonic() - _began[roster]:.1f} s.")
    _said.clear()
    _counts.clear()
    _began.clear()


def _is_many(count: Counter[str]) -> bool:
    """Whether a roster's count is worth a line, and a moment's wait for more: what became of one user is seen as it is."""
    return count["wanted"] > 1


def _progress(count: Counter[str]) -> str:
    failed = f", {count['failed']} failed" if count["failed"] else ""
    return f"{count['done']} of {count['wanted']} users done{failed}"
