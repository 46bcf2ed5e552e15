"""What lies in a ledger, read apart from the product's use of it, and one place for a server and its customers."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pulumi_openfunnel.ledger.listing import Row, Status, listed
from pulumi_openfunnel.ledger.memory import MemoryOwners
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
from pulumi_openfunnel.ledger.store import Store
from pulumi_openfunnel.ledger.turns import opened
from pulumi_openfunnel.simulator import Account, Accounts, Entry, Existing, Fault, Faults, serve

_CUSTOMERS = 2500
_HOLD = 0.7  # seconds for which ``Fault.HOLD`` holds an answer back
_SETTLED = 10.0  # seconds within which the server must have seen what was sent


@dataclass(frozen=True)
class Kept:
    """An attempt in a ledger, with its answer opened; ``repr`` shows no key."""

    row: Row
    key: str | None = field(repr=False)

    @property
    def live(self) -> bool:
        """Whether it holds a key to hand over: as the design says, not as the product's code does."""
        kept = self.row.status in (Status.ANSWERED, Status.ISSUED, Status.RELEASED)
        return kept and self.row.attempt.problem is None and self.key is not None


def kept_in_copy(ledger: Path, aside: Path, seals: Sequence[Seal]) -> list[Kept]:
    """What a ledger's file holds, read from a copy of its directory: recovery is left to the product.

    Raises:
        AssertionError: when the database is damaged.
    """
    if not ledger.exists():
        return []
    shutil.copytree(ledger.parent, aside)
    copy = aside / ledger.name
    check_sound(copy)
    with contextlib.closing(SqliteStore(copy)) as store:
        return kept_in(store, seals)


def kept_in(store: Store, seals: Sequence[Seal]) -> list[Kept]:
    """What a ledger holds; nothing is written.

    Raises:
        AssertionError: when one of its documents cannot be read.
    """
    found = listed(Ledger(store, MemoryOwners()))
    if found.problems:
        raise AssertionError(f"documents that cannot be read: {found.problems}")
    return [Kept(row, _key(row, seals)) for row in found.rows]


def check_sound(database: Path) -> None:
    """Raise AssertionError when SQLite finds damage."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        found = db.execute("PRAGMA quick_check").fetchall()
    if found != [("ok",)]:
        raise AssertionError(f"{database} is damaged: {found}")


def in_the_clear(directory: Path, secrets: Sequence[str]) -> list[str]:
    """The files of a directory that show one of these secrets."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [file.name for file in files if any(secret.encode() in file.read_bytes() for secret in secrets)]


def _key(row: Row, seals: Sequence[Seal]) -> str | None:
    body = opened(row.answer, row.identity, seals) if row.answer is not None else None
    if body is not None:
        with contextlib.suppress(ValueError, KeyError):
            return str(json.loads(body)["api_key"])
    return None


class OpenFunnel:
    """The simulator in this process, with a customer of its own for each point: what a point did is told by its account.

    Attributes:
        base_url: the API's.
        existing: what it answers for an existing user.
        accounts: all that it knows.
    """

    def __init__(
        self,
        base_url: str,
        existing: Existing,
        accounts: Accounts,
        faults: dict[int, Fault],
        customers: list[Account],
    ) -> None:
        self.base_url = base_url
        self.existing = existing
        self.accounts = accounts
        self._faults = faults
        self._customers = customers
        self._next = itertools.count()

    def customer(self) -> Account:
        """One that nobody had before."""
        return self._customers[next(self._next)]

    def entries(self, user_id: str, at_least: int = 0) -> list[Entry]:
        """A customer's create-user requests, once the server has seen so many."""
        end = time.monotonic() + _SETTLED
        while True:
            found = [entry for entry in self.accounts.record.entries if entry.account == user_id]
            if len(found) >= at_least:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"the server saw {len(found)} of {at_least} requests")
            time.sleep(0.002)

    def fail_next(self, fault: Fault) -> None:
        """Let the next create-user request go wrong."""
        self._faults[len(self.accounts.record.entries) + 1] = fault

    def forget_faults(self) -> None:
        """Let every request go right."""
        self._faults.clear()

    def key(self, internal_email: str) -> str | None:
        """The key that the server knows a user by."""
        return next((user.api_key for user in self.accounts.users if user.email == internal_email), None)


@contextlib.contextmanager
def openfunnel(existing: Existing) -> Iterator[OpenFunnel]:
    """A running one."""
    faults: dict[int, Fault] = {}
    numbers = [f"{number:04}" for number in range(_CUSTOMERS)]
    customers = [Account(f"guy@p{number}.com", f"of_provisioner_p{number}") for number in numbers]
    accounts = Accounts(customers, existing=existing)
    with serve(accounts, faults=Faults(faults, hold=_HOLD)) as base_url:
        yield OpenFunnel(base_url, existing, accounts, faults, customers)
