"""Keeps a release's state for the versions after it, as the real CLI exports it, without where this machine keeps its files.

``python -m tests.e2e.save_state NAME``, from the repository's root and with a CLI on PATH, runs ``states/NAME/program.py``
against the simulator and writes ``state.json`` and ``stack.yaml`` beside it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import ORCHESTRATOR, PROVISIONER_KEY

STATES = Path(__file__).parent / "states"
_OF_THIS_MACHINE = ("sourcePosition", "stackTrace")


def save(saved: Path) -> None:
    """Run the program of a saved state, and keep what becomes of it."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])
    with tempfile.TemporaryDirectory() as directory, serve(accounts) as api:
        project = Project(Path(directory))
        project.write((saved / "program.py").read_text())
        project.add_stack()
        project.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
        project.up()
        state: dict[str, Any] = json.loads(project.pulumi("stack", "export").output)
        shutil.copy(project.directory / "Pulumi.dev.yaml", saved / "stack.yaml")
    for resource in state["deployment"]["resources"]:
        for name in _OF_THIS_MACHINE:
            resource.pop(name, None)
    (saved / "state.json").write_text(json.dumps(state, indent=1) + "\n")


if __name__ == "__main__":
    save(STATES / sys.argv[1])
