"""What every unit test would otherwise pay for again, or make for itself."""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..doctor_command import Doctor, provisioner
from .provisions import Callers, Clock, Console


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """Each client of its own would read all certificate authorities anew, which is most of a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture
def callers() -> Iterator[Callers]:
    """Makes callers that share connections, which are closed when the test is over."""
    made = Callers()
    yield made
    made.connections.close()


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that whoever tries, waits or counts looks at."""
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may lie."""
    return tmp_path / "ledger.db"


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """The ``doctor`` command, on a machine of its own."""
    return Doctor(tmp_path)


@pytest.fixture
def well(doctor: Doctor, api: str, path: Path) -> Doctor:
    """One that finds nothing wrong."""
    doctor.cli(config=provisioner(baseUrl=api, ledger=str(path)))
    return doctor
