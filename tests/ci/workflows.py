"""The jobs of the workflows in examples/ci, as a runner gets them: shell scripts and environments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "examples" / "ci" / "github-actions.yml"
GITLAB = ROOT / "examples" / "ci" / "gitlab-ci.yml"

_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


@dataclass(frozen=True)
class Step:
    """One script.

    Attributes:
        name: the step's; GitLab has none, so there it is the keyword.
        script: what its shell is given.
        env: its variables, beside the job's; not shown by ``repr``, because secrets are among them.
    """

    name: str
    script: str
    env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        role: the end of the ARN of the role that it takes.
        env: the variables of all its steps.
        steps: its scripts, in order.
    """

    role: str
    env: Mapping[str, str] = field(repr=False)
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of that name."""
        [found] = [step for step in self.steps if step.name == name]
        return found


def github(name: str, names: Mapping[str, str], context: Mapping[str, str], *only: str) -> Job:
    """A job of GitHub's workflow.

    Args:
        name: the job's.
        names: what is put in place of what the file has in capitals.
        context: what its expressions stand for. One that is not here is an error, as a secret that the job does not have.
        only: the names of the steps that are needed, where that is not all.
    """
    workflow = _read(GITHUB, names)
    job = workflow["jobs"][name]
    roles = [step["with"]["role-to-assume"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]
    steps = tuple(
        Step(step["name"], _EXPRESSION.sub(lambda found: context[found[1]], step["run"]), _given(step, context))
        for step in job["steps"]
        if "run" in step and (not only or step["name"] in only)
    )
    return Job(roles[0].rpartition("/")[2], _given(workflow, context) | _given(job, context), steps)


def gitlab(name: str, names: Mapping[str, str], variables: Mapping[str, str], *spared: str) -> Job:
    """A job of GitLab's pipeline.

    Args:
        name: the job's.
        names: what is put in place of what the file has in capitals.
        variables: those of the project that the job's environment may see, and predefined ones.
        spared: lines whose work somebody else did.
    """
    pipeline = _read(GITLAB, names)
    job = pipeline[name]
    base = pipeline[job["extends"]]
    given = {**pipeline["variables"], **base["variables"], **job["variables"]}
    env = {key: value["value"] if isinstance(value, dict) else value for key, value in given.items()} | dict(variables)
    env = {key: re.sub(r"\$(\w+)", lambda found: env[found[1]], value) for key, value in env.items()}
    lines = [*base["before_script"], *job["script"]]
    for line in spared:
        lines.remove(line)
    steps = [Step("script", "\n".join(lines), {})]
    if "after_script" in job:
        steps.append(Step("after_script", "\n".join(job["after_script"]), {}))
    return Job(env["AWS_ROLE_ARN"].rpartition("/")[2], env, tuple(steps))


def _read(path: Path, names: Mapping[str, str]) -> dict[str, Any]:
    text = path.read_text()
    for capitals, name in names.items():
        assert capitals in text, f"{capitals} is not in {path.name}"
        text = text.replace(capitals, name)
    workflow: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
    return workflow


def _given(part: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, str]:
    return {
        name: _EXPRESSION.sub(lambda found: context[found[1]], value) for name, value in part.get("env", {}).items()
    }
