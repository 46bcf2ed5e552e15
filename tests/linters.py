"""Linters of workflows, of other people's make; each works without a network."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

_BIN = Path(sys.executable).parent


def actionlint(*workflows: Path) -> str:
    """What it says against the syntax, the expressions and, with shellcheck, the scripts of GitHub's workflows."""
    return _said(_actionlint(), "-shellcheck", _BIN / "shellcheck", *workflows)


def schema_of_github(*workflows: Path) -> str:
    """What GitHub's schema, which comes with the checker, says against workflows."""
    return _said(_BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)


def schema_of_gitlab(pipeline: Path) -> str:
    """What GitLab's schema, which comes with the checker, says against a pipeline."""
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    return _said(_BIN / "check-jsonschema", *schema, pipeline)


def zizmor(*workflows: Path) -> str:
    """What it says against the security of GitHub's workflows; the persona is the strictest."""
    return _said(_BIN / "zizmor", "--offline", "--quiet", "--persona", "auditor", *workflows)


def shellcheck(script: str, *excluded: str) -> str:
    """What it says against a script of bash."""
    return _said(_BIN / "shellcheck", "--shell=bash", f"--exclude={','.join(excluded)}", "-", script=script)


@functools.cache
def _actionlint() -> Path:
    """The program, built from Go modules when it is not there."""
    install = ROOT / "tools" / "actionlint" / "install"
    done = subprocess.run([install], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1]) / "actionlint"


def _said(program: Path, *args: str | Path, script: str | None = None) -> str:
    """What a linter printed; empty exactly when it found nothing."""
    done = subprocess.run([program, *args], input=script, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 or done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr
