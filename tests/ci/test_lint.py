"""The workflows, as linters of other people's make read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .workflows import GITHUB, GITLAB, ROOT

BIN = Path(sys.executable).parent
TEMPLATE = ROOT / "templates" / "python" / ".github" / "workflows" / "openfunnel.yml"


def _lint(program: Path | str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *args], capture_output=True, text=True, check=False, cwd=ROOT)


def _schema(name: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Checked with a schema that comes with check-jsonschema, so that nothing is fetched."""
    return _lint(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{name}", *args)


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """Built from Go modules when it is not there; shellcheck, which it runs on each step, has to be on PATH."""
    assert shutil.which("shellcheck"), "shellcheck is not on PATH. Install it: apt-get install shellcheck"
    install = ROOT / "tools" / "actionlint" / "install"
    done = subprocess.run([install], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1]) / "actionlint"


def _zizmor(workflow: Path) -> subprocess.CompletedProcess[str]:
    return _lint(BIN / "zizmor", "--offline", "--no-progress", "--persona", "auditor", workflow)


def test_githubs_workflow_is_clean(actionlint: Path) -> None:
    """Its syntax, expressions and shell scripts, its schema, and its security."""
    for done in (_lint(actionlint, GITHUB), _schema("github-workflows", GITHUB), _zizmor(GITHUB)):
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("written", "instead", "finds"),
    [
        ("github.event_name", "github.event_nmae", "actionlint"),
        ('cat preview.txt\n          exit "${status:-0}"', "cat preview.txt\n          exit $status", "actionlint"),
        ("timeout-minutes: 15", "timeout-minutes: soon", "schema"),
        ("permissions: {}", "permissions: write-all", "zizmor"),
        ("persist-credentials: false", "persist-credentials: true", "zizmor"),
    ],
)
def test_each_linter_finds_what_is_wrong(
    written: str, instead: str, finds: str, actionlint: Path, tmp_path: Path
) -> None:
    """A workflow with one thing changed is refused, so that a linter which looks at nothing does not pass for one."""
    assert written in GITHUB.read_text()
    changed = tmp_path / ".github" / "workflows" / "changed.yml"
    changed.parent.mkdir(parents=True)
    changed.write_text(GITHUB.read_text().replace(written, instead))
    linters = {
        "actionlint": lambda: _lint(actionlint, changed),
        "schema": lambda: _schema("github-workflows", changed),
        "zizmor": lambda: _zizmor(changed),
    }
    assert linters[finds]().returncode != 0


def test_gitlabs_pipeline_is_clean(tmp_path: Path) -> None:
    """Its schema; one with a key that there is not is refused; its scripts, as shellcheck reads them."""
    options = ("--data-transform", "gitlab-ci")
    done = _schema("gitlab-ci", *options, GITLAB)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = tmp_path / "changed.yml"
    changed.write_text(GITLAB.read_text().replace("interruptible: true", "interruptible: perhaps"))
    assert _schema("gitlab-ci", *options, changed).returncode != 0
    pipeline = yaml.load(GITLAB.read_text(), yaml.BaseLoader)
    lines = [*pipeline[".pulumi"]["before_script"]]
    for job in ("preview", "up"):
        script = "\n".join([*lines, *pipeline[job]["script"], *pipeline[job].get("after_script", [])])
        checked = subprocess.run(
            ["shellcheck", "--shell=bash", "--exclude=SC2093", "-"],  # what follows exec is a script of its own
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout


def test_the_template_brings_githubs_workflow() -> None:
    """Word for word."""
    assert TEMPLATE.read_text() == GITHUB.read_text()


def test_every_action_is_pinned() -> None:
    """By a commit, with its version beside it."""
    uses = [line.partition("uses: ")[2] for line in GITHUB.read_text().splitlines() if "uses: " in line]
    assert len(uses) == 8
    assert [use for use in uses if len(use.partition("@")[2].partition(" # v")[0]) != 40] == []
