"""What surrounds a set-up: the Pulumi CLI, the stack's config, the environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 60.0  # seconds for one command of the CLI
_URL = re.compile(r"(\w+://)(?:\S*@)?([^\s?\"']*)(?:\?[^\s\"']*)?")
_SECRET = re.compile(
    r"OPENFUNNEL_\w*KEY|PULUMI_CONFIG_PASSPHRASE|PULUMI_ACCESS_TOKEN|PGPASSWORD|AWS_\w*(SECRET|TOKEN)\w*"
)


@dataclass(frozen=True)
class Said:
    """What a command of the CLI said.

    Attributes:
        output: to standard output.
        problem: why it failed, in its own words; None when it did not.
    """

    output: str = field(repr=False)
    problem: str | None

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that it printed; an empty one when it printed something else."""
        try:
            found = json.loads(self.output) if self.problem is None else None
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Surroundings:
    """What ``pulumi up`` would find.

    Attributes:
        environ: the environment's variables.
        stack: the stack that was asked for; None for the selected one.
        cli: what the CLI says of its version; None when there is no CLI.
        config: the stack's config by full key, secrets opened; not shown by ``repr``.
        secrets: the keys whose values are secrets.
        config_problem: why there is no config, in the CLI's words.
        secrets_problem: why the config's secrets could not be opened, in the CLI's words.
        backend: the URL of the state's place; None when it is not known.
    """

    environ: Mapping[str, str] = field(repr=False)
    stack: str | None
    cli: str | None
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = frozenset()
    config_problem: str | None = None
    secrets_problem: str | None = None
    backend: str | None = field(default=None, repr=False)

    def setting(self, key: str) -> object:
        """A setting of the stack's config."""
        return self.config.get(key)

    @property
    def sealed(self) -> frozenset[str]:
        """The keys whose values could not be opened."""
        return frozenset(key for key in self.secrets if key not in self.config)


def look_around(environ: Mapping[str, str], stack: str | None) -> Surroundings:
    """Ask the CLI for everything that it knows.

    Args:
        environ: the environment's variables.
        stack: whose config to read; None for the selected stack.
    """
    backend = environ.get("PULUMI_BACKEND_URL")
    cli = shutil.which("pulumi", path=environ.get("PATH"))
    if cli is None:
        return Surroundings(environ, stack, None, config_problem="there is no Pulumi CLI", backend=backend)
    named = ("--stack", stack) if stack is not None else ()
    config = _pulumi(cli, environ, "config", "--json", "--show-secrets", *named)
    secrets_problem = None
    if config.problem is not None:  # perhaps only the secrets cannot be read
        secrets_problem, config = config.problem, _pulumi(cli, environ, "config", "--json", *named)
    entries = {key: entry for key, entry in config.document.items() if isinstance(entry, dict)}
    return Surroundings(
        environ=environ,
        stack=stack,
        cli=_pulumi(cli, environ, "version").output.strip(),
        config={key: str(entry["value"]) for key, entry in entries.items() if entry.get("value") is not None},
        secrets=frozenset(key for key, entry in entries.items() if entry.get("secret")),
        config_problem=config.problem,
        secrets_problem=secrets_problem if config.problem is None else None,
        backend=backend or _logged_in(cli, environ),
    )


def _logged_in(cli: str, environ: Mapping[str, str]) -> str | None:
    url = _pulumi(cli, environ, "whoami", "--json", "--verbose").document.get("url")
    return url if isinstance(url, str) else None


def _pulumi(cli: str, environ: Mapping[str, str], *args: str) -> Said:
    """Run one command of the CLI, which is asked no question and answers to nobody else."""
    try:
        done = subprocess.run(  # noqa: S603 - the CLI that the user has
            [cli, *args, "--non-interactive", "--color", "never"],
            env={**environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Said("", f"pulumi {args[0]} did not answer ({type(error).__name__})")
    if done.returncode == 0:
        return Said(done.stdout, None)
    lines = [line.strip().removeprefix("error: ") for line in done.stderr.splitlines() if line.strip()]
    said = lines[0] if lines else f"pulumi {args[0]} ended with {done.returncode}"
    return Said(done.stdout, _without_secrets(said, environ).rstrip("."))


def _without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """The CLI's words, which may repeat a URL with its password, without what the environment holds of secrets."""
    shown = _URL.sub(r"\1\2", text)
    for name, value in environ.items():
        if value and _SECRET.fullmatch(name):
            shown = shown.replace(value, "***")
    return shown
