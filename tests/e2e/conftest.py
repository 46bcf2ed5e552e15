"""The real Pulumi CLI, with a home, a state and a project of its own for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import Project

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import ONE_USER, NewProject


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The CLI and its language host; without them nothing here means anything."""
    for needed in ("pulumi", "pulumi-language-python"):
        assert shutil.which(needed), f"{needed} is not on PATH. Run: make test"


@pytest.fixture
def new_project(tmp_path: Path) -> NewProject:
    """Makes a project with an empty stack; its environment knows nothing of OpenFunnel."""

    def make(program: str = ONE_USER, name: str = "project") -> Project:
        project = Project(tmp_path, name=name)
        project.write(program)
        project.add_stack()
        return project

    return make


@pytest.fixture
def project(new_project: NewProject, api: str) -> Project:
    """A project whose environment holds everything that a user is created with."""
    made = new_project()
    made.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    return made
