"""Drivers for all crash tests, and nothing without strace."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.servers import s3

from .processes import NO_STRACE, Driver, strace_is_there

AT_ONCE = 2
MORE = 2
_MEMORY = Path("/dev/shm")  # what is written survives a kill in memory as on a disk, and faster


@pytest.fixture(scope="session")
def drivers() -> Iterator[list[Driver]]:
    """Processes that do verbs. Their tests are never skipped."""
    if not strace_is_there():
        pytest.fail(NO_STRACE, pytrace=False)
    with contextlib.ExitStack() as running:
        yield [running.enter_context(contextlib.closing(Driver())) for _ in range(AT_ONCE)]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where ledgers are written."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def many_drivers(drivers: list[Driver]) -> Iterator[list[Driver]]:
    """More of them, for what mostly waits until a lease expires."""
    with contextlib.ExitStack() as running:
        more = [running.enter_context(contextlib.closing(Driver())) for _ in range(MORE)]
        yield [*drivers, *more]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server here takes, for the looks into its ledgers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
