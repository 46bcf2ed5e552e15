"""The repository's own workflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ..linters import ROOT, actionlint, schema_of_github, zizmor

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_linters_find_nothing() -> None:
    """Neither actionlint, with shellcheck, nor GitHub's schema, nor zizmor."""
    assert (actionlint(*WORKFLOWS), schema_of_github(*WORKFLOWS), zizmor(*WORKFLOWS)) == ("", "", "")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_few(workflow: Path) -> None:
    """Each action by its commit, with its version beside it; no right but for a job that says why it needs it."""
    text = workflow.read_text()
    used = [line for line in text.splitlines() if "uses:" in line]
    assert [line for line in used if not re.search(r"@[0-9a-f]{40} # v\d", line)] == []
    read = yaml.safe_load(text)
    assert read["permissions"] == {}
    assert all(job["timeout-minutes"] <= 90 for job in read["jobs"].values())
    assert [line for line in text.splitlines() if re.search(r": (read|write)\b", line) and "#" not in line] == []


def test_only_the_job_that_publishes_may_sign() -> None:
    """And it runs nothing of the repository."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert all("run" not in step for step in jobs["publish"]["steps"])


def test_the_commands_exist() -> None:
    """Each make target that a workflow runs."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for path in WORKFLOWS for name in re.findall(r"run: make (\w+)", path.read_text())} <= targets
