"""The wheel, and the sdist, installed with each Python of this machine, and a real ``pulumi up`` with it.

``python -m tools.pythons``, with the Pulumi CLI on PATH; ``make pythons`` sees to that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from .demo import QUICKSTART
from .release import ROOT, build

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
YOU, KEY = "you@yourco.com", "of_demonstration"


def main() -> int:
    """Try each; 1 when one fails."""
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        built = build(Path(directory) / "dist")
        for version in VERSIONS:
            python = found(version)
            for artifact in built if python else []:
                said = tried(str(python), artifact, Path(tempfile.mkdtemp(dir=directory)))
                failed += said != "ok"
                print(f"Python {version}, {artifact.name}: {said}", flush=True)
            if python is None:
                print(f"Python {version}: not on this machine")
    return 1 if failed else 0


def found(version: str) -> str | None:
    """The interpreter of a version: on PATH, or where pyenv keeps it."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(kept[-1]) if kept else shutil.which(f"python{version}")


def tried(python: str, artifact: Path, directory: Path) -> str:
    """Install the artifact, create a user with it; "ok", or what went wrong."""
    environment = directory / "venv"
    subprocess.run([python, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(artifact)], check=True)
    accounts = Accounts([Account(YOU, KEY)])
    with serve(accounts) as base_url:
        project = Project(directory / "project")
        project.write(QUICKSTART.read_text())
        project.setenv(PULUMI_PYTHON_CMD=str(environment / "bin" / "python"), PYTHONPATH=None)
        project.setenv(OPENFUNNEL_BASE_URL=base_url, OPENFUNNEL_USER_ID=YOU, OPENFUNNEL_API_KEY=KEY)
        project.add_stack()
        project.up()
        project.up("--expect-no-changes")
        project.pulumi("destroy", "--yes")
    return "ok" if [user.email for user in accounts.users] == ["alice@yourco.com"] else "another user"


if __name__ == "__main__":
    sys.exit(main())
