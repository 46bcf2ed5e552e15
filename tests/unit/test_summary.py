"""What is said of many users while they are worked on."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pulumi_openfunnel.dynamic.log import Log
from pulumi_openfunnel.dynamic.summary import Summary
from pulumi_openfunnel.operation import SILENT, line

from .provisions import lines_to


class _Shown(Log):
    """A log without an engine, which keeps what progress it is told of."""

    def __init__(self) -> None:
        super().__init__("")
        self.lines: list[str] = []

    def progress(self, who: str | None, text: str, detail: str | None = None) -> None:
        self.lines.append(line(who, text, detail))


def test_progress_is_shown_of_long_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds after the first user was done; it tells of each roster by itself."""
    now, log = [100.0], _Shown()
    summary = Summary(log)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for seconds, roster, failed in ((0, "team", False), (4.9, "team", True), (5, "team", False), (6, "other", False)):
        now[0] = 100.0 + seconds
        summary.settled(roster, failed=failed)
    assert log.lines == ["team: 2 users done, 1 failed, after 5 s."]


def test_what_is_true_of_many_is_one_line() -> None:
    """It is said at the end of the last verb, with the users' names and without what differs; what names nobody, at once."""
    warnings: list[str] = []
    summary = Summary(_Shown())
    many = summary.of(replace(SILENT, warn=lines_to(warnings)))
    with summary.verb():
        with summary.verb():
            many.warn("bob@o.com", "key taken from the ledger.", "print of bob's")
            many.warn("alice@o.com", "key taken from the ledger.", "print of alice's")
            many.warn("alice@o.com", "is somebody.")
            many.warn(None, "The ledger is off.")
        assert warnings == ["The ledger is off."]
    assert warnings[1:] == [
        "2 users: alice@o.com, bob@o.com: key taken from the ledger.",
        "alice@o.com: is somebody.",
    ]
    with summary.verb():
        pass
    assert len(warnings) == 3
