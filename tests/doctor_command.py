"""``python -m pulumi_openfunnel doctor`` as a process, and a ``pulumi`` that says what a test gives it."""

from __future__ import annotations

import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import clean_environment

from . import forks
from .servers import ORCHESTRATOR, PROVISIONER_KEY, USER_KEY

COMMAND = [sys.executable, "-m", "pulumi_openfunnel", "doctor"]
PASSWORD = "s3cret-pass"
SECRETS = (PROVISIONER_KEY, USER_KEY, PASSWORD)

_CLI = """#!/bin/sh
case "$1" in
version) printf '%s' {version} ;;
config) printf '%s' {config} ;;
whoami) printf '%s' {whoami} ;;
*) exit 3 ;;
esac
"""
_OF_THE_MACHINE = ("CI", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_STATE_HOME")


@dataclass(frozen=True)
class Seen:
    """What the command told.

    Attributes:
        status: its exit status.
        findings: verdict, subject and text of each.
    """

    status: int
    findings: list[tuple[str, str, str]]

    def told(self, verdict: str) -> list[str]:
        """Everything with this verdict, as ``subject: text``."""
        return [f"{subject}: {text}" for found, subject, text in self.findings if found == verdict]

    def to_mend(self) -> str:
        """The one line that something must be mended with, as its exit status says."""
        assert self.status == 1
        [line] = self.told("mend")
        return line

    def about(self, subject: str) -> list[str]:
        """What was found of a subject, as ``verdict text``."""
        return [f"{verdict} {text}" for verdict, found, text in self.findings if found == subject]


class Doctor:
    """The command on a machine of its own, with a ``pulumi`` of our making on PATH.

    Args:
        root: a directory for all of it.

    Attributes:
        environment: what the command gets.
    """

    def __init__(self, root: Path) -> None:
        self._bin = root / "bin"
        self._bin.mkdir()
        known = {name: value for name, value in clean_environment().items() if name.upper() not in _OF_THE_MACHINE}
        self.environment = {**known, "PATH": str(self._bin), "HOME": str(root / "home"), "NO_PROXY": "127.0.0.1"}
        self.cli()

    def cli(self, version: str = "v3.259.0", config: object = None, backend: str = "https://api.pulumi.com") -> None:
        """What the CLI says; a config's entry is a text, or the entry as the CLI prints it."""
        entries = config if isinstance(config, dict) else {}
        printed = {name: one if isinstance(one, dict) else {"value": one} for name, one in entries.items()}
        said = {
            "version": version,
            "config": config if isinstance(config, str) else json.dumps(printed),
            "whoami": json.dumps({"user": "guy", "url": backend}),
        }
        self._write(_CLI.format_map({name: shlex.quote(text) for name, text in said.items()}))

    def no_cli(self) -> None:
        """Take it away."""
        (self._bin / "pulumi").unlink()

    def broken_cli(self, complaint: str) -> None:
        """Let it fail, whatever it is asked."""
        self._write(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(complaint)} >&2\nexit 1\n")

    def setenv(self, **environment: object) -> None:
        """Set the environment; None takes a variable away."""
        for name, value in environment.items():
            self.environment.pop(name, None)
            if value is not None:
                self.environment[name] = str(value)

    def sees(self, *args: str, cwd: Path | None = None, **environment: object) -> Seen:
        """What it tells, which is the same with and without ``--json``, in lines that hide every key."""
        self.setenv(**environment)
        return seen(self.environment, *args, cwd=cwd)

    def _write(self, script: str) -> None:
        (self._bin / "pulumi").write_text(script)
        (self._bin / "pulumi").chmod(0o755)


def provisioner(**settings: str) -> dict[str, Any]:
    """A config that names an orchestrator, with a secret key."""
    names = {"openfunnel:userId": ORCHESTRATOR, "openfunnel:apiKey": {"value": PROVISIONER_KEY, "secret": True}}
    return {**names, **{f"openfunnel:{name}": value for name, value in settings.items()}}


def seen(environment: dict[str, str], *args: str, cwd: Path | None = None) -> Seen:
    """What the command tells in this environment, looked at for keys and tracebacks."""
    with ThreadPoolExecutor() as pool:
        forms = ["doctor", *args], ["doctor", *args, "--json"]
        text, document = pool.map(lambda form: forks.run(form, environment, cwd=cwd), forms)
    for secret in SECRETS:
        assert secret not in text.stdout + text.stderr + document.stdout + document.stderr
    assert (text.stderr, document.stderr) == ("", "")
    found = json.loads(document.stdout)
    assert document.returncode == text.returncode == found["status"]
    findings = [(one["verdict"], one["subject"], one["text"]) for one in found["findings"]]
    lines = text.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [verdict for verdict, _, _ in findings]
    assert all(
        line.endswith(told) and subject in line for line, (_, subject, told) in zip(lines, findings, strict=True)
    )
    return Seen(text.returncode, findings)
