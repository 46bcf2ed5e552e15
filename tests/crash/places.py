"""Where the ledgers of a campaign lie: a new one for each point, to be looked at and copied."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.store import Store
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import parse

from .core import Kept, in_the_clear, kept_in, kept_in_copy


class Places(Protocol):
    """Ledgers of one kind, named by the URL that the setting takes."""

    def new(self) -> str:
        """One that is not there yet."""

    def copy(self, url: str) -> str:
        """Another one that holds the same; no run lives in it."""

    def kept(self, url: str, seals: Sequence[Seal]) -> list[Kept]:
        """What one holds."""

    def shown(self, url: str, secrets: Sequence[str]) -> list[str]:
        """What of it shows one of these secrets."""

    def remove(self, url: str) -> None:
        """It is not looked at any more."""


class Files:
    """SQLite files, each in a directory of its own, all names as long: so the system calls stay the same.

    Args:
        directory: for all of them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)

    def new(self) -> str:
        """See :class:`Places`, like all that follows."""
        return str(self._directory / f"{next(self._numbers):06}" / "ledger.db")

    def copy(self, url: str) -> str:
        new = self.new()
        shutil.copytree(Path(url).parent, Path(new).parent, ignore=shutil.ignore_patterns("*.run-*"))
        return new

    def kept(self, url: str, seals: Sequence[Seal]) -> list[Kept]:
        return kept_in_copy(Path(url), self._aside(url) / f"{next(self._numbers):06}", seals)

    def shown(self, url: str, secrets: Sequence[str]) -> list[str]:
        return [name for where in (Path(url).parent, self._aside(url)) for name in in_the_clear(where, secrets)]

    def remove(self, url: str) -> None:
        for used in (Path(url).parent, self._aside(url)):
            shutil.rmtree(used, ignore_errors=True)

    @staticmethod
    def _aside(url: str) -> Path:
        return Path(url).parent.with_suffix(".aside")


class Shared:
    """Ledgers on a server, each in a bucket or a schema of its own.

    Args:
        new: makes the place for one; its URL.
    """

    def __init__(self, new: Callable[[], str]) -> None:
        self._new = new

    def new(self) -> str:
        """See :class:`Places`, like all that follows."""
        return self._new()

    def copy(self, url: str) -> str:
        new = self.new()
        with _store(url) as old, _store(new) as store:
            for name, document in old.get_many(old.names("")).items():
                if not name.startswith("runs/"):
                    store.put_new(name, document.body)
        return new

    def kept(self, url: str, seals: Sequence[Seal]) -> list[Kept]:
        with _store(url, create=False) as store:
            return kept_in(store, seals)

    def shown(self, url: str, secrets: Sequence[str]) -> list[str]:
        with _store(url, create=False) as store:
            found = store.get_many(store.names(""))
        return [
            name
            for name, document in found.items()
            if any(secret in name or secret.encode() in document.body for secret in secrets)
        ]

    def remove(self, url: str) -> None:
        """The server goes with the tests."""


@contextlib.contextmanager
def _store(url: str, *, create: bool = True) -> Iterator[Store]:
    place = parse(url)
    if place is None:
        raise AssertionError("the ledger is not off")
    with contextlib.closing(store_at(place, create=create)) as store:
        yield store
