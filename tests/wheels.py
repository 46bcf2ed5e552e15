"""What a package index would give to who installs the package: wheels that the tests built, in a directory."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that the workers of one run of the tests share.

    Args:
        factory: knows where the run keeps its directories.
        name: the directory's.
        make: fills it; called by the first worker that needs it, while the others wait.
    """
    base = factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "whole").exists():
            make(directory)
            (directory / "whole").touch()
    return directory


def build(directory: Path) -> None:
    """This checkout's wheel, all that it needs, and what makes a virtual environment."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "-w", str(directory)]
    options = ["--constraint", str(ROOT / "constraints.txt"), "--no-build-isolation"]
    what = [f"{ROOT}[objects,postgres]", "pip", "setuptools", "wheel"]
    subprocess.run([*pip, *options, *what], check=True, stdout=subprocess.DEVNULL)


def variables(directory: Path) -> dict[str, str]:
    """Let pip take those wheels, and ask nobody: the package is not released, and tests need no network."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(directory), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
