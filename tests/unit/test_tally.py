"""What is said of many users while they are worked on."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from pulumi_openfunnel.dynamic import process as engine
from pulumi_openfunnel.dynamic import summary as tally


def test_progress_is_shown_of_long_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds after the first user was done; it tells of each roster by itself."""
    now, shown = [100.0], list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(engine, "progress", shown.append)
    monkeypatch.setattr(tally, "_counts", dict[str, Counter[str]]())
    monkeypatch.setattr(tally, "_began", dict[str, float]())
    for seconds, roster, failed in ((0, "team", False), (4.9, "team", True), (5, "team", False), (6, "other", False)):
        now[0] = 100.0 + seconds
        tally.settled(roster, failed=failed)
    assert shown == ["team: 2 users done, 1 failed, after 5 s."]
