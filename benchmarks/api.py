"""The local OpenFunnel that every row asks, in a process of its own, and what it really did."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from harness import simulator
from harness.simulator import ORCHESTRATOR

KEY = "of_benchmarks"


class NotTrue(Exception):
    """The server did something else than what was measured."""


class Api:
    """A running server and its record.

    Args:
        base_url: where it listens.
        record: the file to which it adds a line for each create-user request.
    """

    def __init__(self, base_url: str, record: Path) -> None:
        self.environment = {
            "OPENFUNNEL_BASE_URL": base_url,
            "OPENFUNNEL_USER_ID": ORCHESTRATOR,
            "OPENFUNNEL_API_KEY": KEY,
        }
        self._record = record
        self._read = 0

    def created(self) -> list[str]:
        """The internal emails of the users that were created since the last call."""
        with self._record.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
            self._read = file.tell()
        return [entry["email"] for entry in map(json.loads, lines.splitlines()) if entry["done"]]

    def expect(self, emails: list[str]) -> None:
        """Whether these users, each once, and no others were created since the last look.

        Raises:
            NotTrue: when not.
        """
        created = self.created()
        if sorted(created) != sorted(internal(emails)):
            raise NotTrue(f"{len(created)} users were created instead of {len(emails)}")


def internal(emails: list[str]) -> list[str]:
    """The internal emails of end users' addresses."""
    domain = ORCHESTRATOR.partition("@")[2]
    return [f"{email.partition('@')[0]}@{domain}" for email in emails]


@contextlib.contextmanager
def serving(directory: Path, latency: float) -> Iterator[Api]:
    """Serve until the context ends; each user takes the latency, in seconds."""
    record = directory / "record.jsonl"
    with simulator.serving(KEY, record, f"--latency={latency}") as base_url:
        yield Api(base_url, record)
