"""The local OpenFunnel as a pytest fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .local import LocalOpenFunnel, local_openfunnel


@pytest.fixture
def openfunnel_api(tmp_path: Path) -> Iterator[LocalOpenFunnel]:
    """An OpenFunnel of the test's own, on a loopback port, without users."""
    with local_openfunnel(tmp_path / "openfunnel") as api:
        yield api
