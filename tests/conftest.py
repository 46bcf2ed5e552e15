"""Servers of other make, for every kind of test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from .servers import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with contextlib.closing(ScriptedServer()) as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[ScriptedServer]:
    with contextlib.closing(ScriptedServer()) as running:
        yield running
