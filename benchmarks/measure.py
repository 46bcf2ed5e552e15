"""One row at one size: what it takes, and that it did what it says."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import UP, clean_environment

from .api import Api, NotTrue, internal
from .rows import EMPTY, Row
from .stack import NO_PROXY, PREVIEW, PROGRAMS, REFRESH, CommandFailed, Stack, Timed


@dataclass(frozen=True)
class Sample:
    """What was measured, in seconds; None where there is nothing to measure or it failed.

    Attributes:
        row: the row's key.
        size: users.
        up: the first update.
        preview: a preview without changes.
        refresh: a refresh without changes.
        add: an update that adds one user.
        state_bytes: what a user adds to the state.
        peak_kib: the most memory that the provider process held in the first update.
        failed: why there is less than all of it.
    """

    row: str
    size: int
    up: float | None = None
    preview: float | None = None
    refresh: float | None = None
    add: float | None = None
    state_bytes: float | None = None
    peak_kib: int | None = None
    failed: str | None = None


class Bench:
    """Measures rows against one server, each time with users of its own.

    Args:
        directory: holds everything that is made.
        api: the server.

    Attributes:
        api, directory: the same.
    """

    def __init__(self, directory: Path, api: Api) -> None:
        self.api = api
        self.directory = directory
        self._numbers = itertools.count()
        with self.stack(EMPTY) as stack:
            stack.run(*UP)
            self._empty_bytes = stack.state_bytes

    def sample(self, row: Row, size: int) -> Sample:
        """Measure a row; one that fails says why."""
        emails = self.users(size + 1)
        try:
            if row.is_stack:
                return self._stack(row, emails)
            return Sample(row.key, size, up=self.command(row, emails[:-1]))
        except CommandFailed as error:
            return Sample(row.key, size, failed=f"{len(self.api.created())} of {size} users were created: {error}")
        except NotTrue as error:
            return Sample(row.key, size, failed=str(error))

    def users(self, count: int) -> list[str]:
        """Addresses that the server never saw, all of the same length, so that states can be compared."""
        run = next(self._numbers)
        return [f"user{run:03}-{number:05}@customers.com" for number in range(count)]

    @contextlib.contextmanager
    def stack(self, row: Row) -> Iterator[Stack]:
        """A project of the row, removed afterwards."""
        with tempfile.TemporaryDirectory(prefix=f"{row.key}-", dir=self.directory) as directory:
            yield Stack(Path(directory), self.directory / "home", row, self.api.environment)

    def _stack(self, row: Row, emails: list[str]) -> Sample:
        size = len(emails) - 1
        with self.stack(row) as stack:
            first = self.up(stack, emails[:-1], emails[:-1] if row is not EMPTY else [])
            state_bytes = (stack.state_bytes - self._empty_bytes) / size if size else None
            preview, refresh = stack.run(*PREVIEW), stack.run(*REFRESH)
            self.api.expect([])
            add = self.up(stack, emails, emails[-1:]).seconds if row is not EMPTY else None
        return Sample(
            row.key,
            size,
            up=first.seconds,
            preview=preview.seconds,
            refresh=refresh.seconds,
            add=add,
            state_bytes=state_bytes,
            peak_kib=first.peak_kib or None,
        )

    def up(self, stack: Stack, emails: list[str], new: list[str]) -> Timed:
        """One update.

        Args:
            stack: the stack.
            emails: the users that it declares then.
            new: those of them that it creates.

        Raises:
            CommandFailed: when it failed.
            NotTrue: when it created others.
        """
        stack.declare(emails)
        done = stack.run(*UP)
        self.api.expect(new)
        return done

    def first_up(self, row: Row, size: int) -> float:
        """Seconds that a row takes for its first users."""
        emails = self.users(size)
        if not row.is_stack:
            return self.command(row, emails)
        with self.stack(row) as stack:
            return self.up(stack, emails, emails).seconds

    def command(self, row: Row, emails: list[str]) -> float:
        """Seconds that a command takes which is no stack.

        Raises:
            CommandFailed: when it failed.
            NotTrue: when it created something else than these users.
        """
        program = str(PROGRAMS / row.files[0])
        command = [sys.executable, program] if program.endswith(".py") else ["sh", program]
        began = time.perf_counter()
        done = subprocess.run(
            command,
            env=clean_environment() | NO_PROXY | self.api.environment,
            input="".join(f"{email}\n" for email in internal(emails)),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise CommandFailed(f"{row.title} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
        self.api.expect(emails)
        return seconds
