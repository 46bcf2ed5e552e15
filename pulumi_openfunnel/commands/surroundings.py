"""What surrounds a set-up: the Pulumi CLI, the stack's config, the environment."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 60.0  # seconds for one command of the CLI


@dataclass(frozen=True)
class Said:
    """What a command of the CLI said."""

    status: int
    output: str = field(repr=False)
    problem: str

    @property
    def worked(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0


@dataclass(frozen=True)
class Surroundings:
    """What ``pulumi up`` would find.

    Attributes:
        environ: the environment's variables.
        stack: the stack that was asked for; None for the selected one.
        cli: the CLI's version; None when there is no CLI.
        config: the stack's config by full key, secrets opened; not shown by ``repr``.
        secrets: the keys whose values are secrets.
        config_problem: why there is no config, in the CLI's words.
        backend: the URL of the state's place; None when it is not known.
    """

    environ: Mapping[str, str] = field(repr=False)
    stack: str | None
    cli: str | None
    config: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str]
    config_problem: str | None
    backend: str | None = field(repr=False)

    def setting(self, key: str) -> object:
        """A setting of the stack's config."""
        return self.config.get(key)


def look_around(environ: Mapping[str, str], stack: str | None) -> Surroundings:
    """Ask the CLI for everything that it knows.

    Args:
        environ: the environment's variables.
        stack: whose config to read; None for the selected stack.
    """
    cli = shutil.which("pulumi", path=environ.get("PATH"))
    if cli is None:
        return Surroundings(environ, stack, None, {}, frozenset(), "there is no Pulumi CLI", None)
    version = _pulumi(environ, "version")
    named = ("--stack", stack) if stack is not None else ()
    config = _pulumi(environ, "config", "--json", "--show-secrets", *named)
    entries: dict[str, Any] = json.loads(config.output) if config.worked else {}
    return Surroundings(
        environ=environ,
        stack=stack,
        cli=version.output.strip() if version.worked else "of an unknown version",
        config={key: str(entry["value"]) for key, entry in entries.items() if entry.get("value") is not None},
        secrets=frozenset(key for key, entry in entries.items() if entry.get("secret")),
        config_problem=None if config.worked else config.problem,
        backend=environ.get("PULUMI_BACKEND_URL") or _logged_in(environ),
    )


def _logged_in(environ: Mapping[str, str]) -> str | None:
    said = _pulumi(environ, "whoami", "--json", "--verbose")
    url = json.loads(said.output).get("url") if said.worked else None
    return url if isinstance(url, str) else None


def _pulumi(environ: Mapping[str, str], *args: str) -> Said:
    """Run one command of the CLI, which is asked no question and answers to nobody else."""
    try:
        done = subprocess.run(  # noqa: S603 - the CLI that the user has
            ["pulumi", *args, "--non-interactive", "--color", "never"],  # noqa: S607 - the CLI on PATH
            env={**environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Said(1, "", f"pulumi {args[0]} did not answer ({type(error).__name__})")
    lines = [line.strip().removeprefix("error: ") for line in done.stderr.splitlines() if line.strip()]
    return Said(done.returncode, done.stdout, lines[0] if lines else f"pulumi {args[0]} ended with {done.returncode}")
