"""The workflows, as linters of other people's make read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ..linters import ROOT, actionlint, schema_of_github, schema_of_gitlab, shellcheck, zizmor
from .workflows import GITHUB, GITLAB

TEMPLATE = ROOT / "templates" / "python" / ".github" / "workflows" / "openfunnel.yml"


def test_githubs_workflow_is_clean() -> None:
    """Its syntax, expressions and shell scripts, its schema, and its security."""
    assert (actionlint(GITHUB), schema_of_github(GITHUB), zizmor(GITHUB)) == ("", "", "")


@pytest.mark.parametrize(
    ("linter", "written", "instead"),
    [
        (actionlint, "github.event_name", "github.event_nmae"),
        (actionlint, 'exit "${status:-0}"', "exit $status"),
        (schema_of_github, "timeout-minutes: 15", "timeout-minutes: soon"),
        (zizmor, "permissions: {}", "permissions: write-all"),
        (zizmor, "persist-credentials: false", "persist-credentials: true"),
    ],
)
def test_each_linter_finds_what_is_wrong(
    linter: Callable[[Path], str], written: str, instead: str, tmp_path: Path
) -> None:
    """A workflow with one thing changed is refused, so that a linter which looks at nothing does not pass for one."""
    assert written in GITHUB.read_text()
    changed = tmp_path / ".github" / "workflows" / "changed.yml"
    changed.parent.mkdir(parents=True)
    changed.write_text(GITHUB.read_text().replace(written, instead))
    assert linter(changed) != ""


def test_gitlabs_pipeline_is_clean(tmp_path: Path) -> None:
    """Its schema; one with a value that there is not is refused; its scripts, as shellcheck reads them."""
    assert schema_of_gitlab(GITLAB) == ""
    changed = tmp_path / "changed.yml"
    changed.write_text(GITLAB.read_text().replace("interruptible: true", "interruptible: perhaps"))
    assert schema_of_gitlab(changed) != ""
    pipeline = yaml.load(GITLAB.read_text(), yaml.BaseLoader)
    for job in ("preview", "up"):
        scripts = [pipeline[".pulumi"]["before_script"], pipeline[job]["script"], pipeline[job].get("after_script", [])]
        text = "\n".join(line for script in scripts for line in script)
        assert shellcheck(text, "SC2093") == ""  # what follows exec is a script of its own


def test_the_template_brings_githubs_workflow() -> None:
    """Word for word."""
    assert TEMPLATE.read_text() == GITHUB.read_text()


def test_every_action_is_pinned() -> None:
    """By a commit, with its version beside it."""
    uses = [line.partition("uses: ")[2] for line in GITHUB.read_text().splitlines() if "uses: " in line]
    assert len(uses) == 8
    assert [use for use in uses if len(use.partition("@")[2].partition(" # v")[0]) != 40] == []
