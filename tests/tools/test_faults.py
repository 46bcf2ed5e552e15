"""The campaign's audit: what it is for it must see."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import need

pytestmark = pytest.mark.long


def test_a_package_that_loses_keys_is_seen() -> None:
    """Without a ledger, and with a state that is written at the end alone, a killed update's keys are lost; the table says so."""
    need("test")
    campaign = ["--ledger", "off", "--only", "skipped checkpoints", "--runs", "1", "--seed", "7"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.faults", *campaign], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "its answer never reached the disk, though nothing stood in its way" in done.stdout
