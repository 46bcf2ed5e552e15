"""What an example registers, for one stack's config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
RECORDER = Path(__file__).with_name("recorder.py")


@dataclass(frozen=True)
class Registered:
    """One resource.

    Attributes:
        type: its type.
        name: its name in the program.
        inputs: as the engine gets them, secrets in their envelopes.
        secret_outputs: its additional secret outputs.
        depends_on: the names of what it depends on.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    secret_outputs: list[str]
    depends_on: list[str]


@dataclass(frozen=True)
class Run:
    """What one run of a program registered.

    Attributes:
        resources: all of them.
        keys: the users' keys, by internal email.
    """

    resources: list[Registered]
    keys: dict[str, str]

    def of(self, type: str) -> dict[str, Registered]:
        """By name, the resources of a type."""
        return {resource.name: resource for resource in self.resources if resource.type == type}

    def changed(self, before: Run, type: str) -> set[str]:
        """The names of those of a type that are not as they were before, be they new, changed or gone."""
        now, then = ({name: found.inputs for name, found in run.of(type).items()} for run in (self, before))
        return {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}


class Ended(Exception):
    """The program failed; the message is what it printed."""


class Programs:
    """Runs examples.

    Args:
        sdks: the directory with the clouds' SDKs.
    """

    def __init__(self, sdks: Path) -> None:
        self._environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(sdks)])}

    def run(self, example: str, **config: Any) -> Run:
        """What an example registers.

        Args:
            example: its directory's name.
            config: the stack's, by the project's own names.

        Raises:
            Ended: when the program fails.
        """
        texts = {
            f"project:{name}": value if isinstance(value, str) else json.dumps(value) for name, value in config.items()
        }
        done = subprocess.run(
            [sys.executable, str(RECORDER), str(EXAMPLES / example)],
            input=json.dumps(texts),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Ended(done.stderr)
        told = json.loads(done.stdout.splitlines()[-1])
        return Run([Registered(**found) for found in told["registered"]], told["keys"])


def holders(value: Any, key: str, *, inside: bool = False) -> Mapping[str, int]:
    """How often a key stands in a value: ``secret``, within a secret's envelope, and ``clear``, outside of one."""
    found = {"secret": 0, "clear": 0}
    if isinstance(value, dict):
        sealed = inside or "4dabf18193072939515e22adb298388d" in value
        parts = [holders(part, key, inside=sealed) for part in value.values()]
    elif isinstance(value, list):
        parts = [holders(part, key, inside=inside) for part in value]
    else:
        found["secret" if inside else "clear"] = int(isinstance(value, str) and key in value)
        return found
    return {name: sum(part[name] for part in parts) for name in found}
