"""The clouds' SDKs, which the user's cache keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .programs import ROOT, Programs


@pytest.fixture(scope="session")
def programs() -> Programs:
    """Runs examples with the real SDKs, which are installed where they are not there yet."""
    install = [sys.executable, str(ROOT / "tools" / "sinks" / "install"), "sdks"]
    done = subprocess.run(install, stdout=subprocess.PIPE, text=True, check=True)
    return Programs(Path(done.stdout.splitlines()[-1]))
