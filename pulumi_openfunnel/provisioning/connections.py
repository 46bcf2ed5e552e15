"""What the requests of one operation share: one client and one pace for an API, one connection to a ledger."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..api.pace import Outage, Pace
from ..operation import SILENT, Operation
from ..settings import Settings

if TYPE_CHECKING:  # loaded when they are needed: a preview of nothing new makes no request
    from ..api.client import Client
    from ..ledger.ledger import Ledger
    from ..ledger.sealing import Seal

T = TypeVar("T")


class Connections:
    """Clients, paces and ledgers, each made when it is first asked for. Safe to share between threads."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._clients: dict[Hashable, Client] = {}
        self._paces: dict[Hashable, Pace] = {}
        self._outages: dict[Hashable, Outage] = {}
        self._ledgers: dict[Hashable, Ledger] = {}

    def client(self, settings: Settings) -> Client:
        """The API that the settings name."""
        from ..api.client import Client

        key = (settings.base_url, settings.timeout)
        return self._once(self._clients, key, lambda: Client(settings.base_url, settings.timeout))

    def pace(self, settings: Settings) -> Pace:
        """The pace of all create-user requests to it."""
        return self._once(self._paces, settings.base_url, Pace)

    def outage(self, settings: Settings) -> Outage:
        """Whether its balance endpoint answers nobody, which says nothing of its other one."""
        return self._once(self._outages, settings.base_url, Outage)

    def ledger(self, path: Path) -> Ledger:
        """The ledger of that path; made when it is not there.

        Raises:
            LedgerUnusable: when it cannot be had.
        """
        from ..ledger.ledger import Ledger

        return self._once(self._ledgers, path, lambda: Ledger(path))

    def known_ledger(self, path: Path) -> Ledger | None:
        """The same, when there is one: nothing is made.

        Raises:
            LedgerUnusable: when it cannot be used, or could not be made.
        """
        from ..ledger.sqlite.database import check_creatable

        if os.path.lexists(path):
            return self.ledger(path)
        check_creatable(path)
        return None

    def close(self) -> None:
        """Close all of them."""
        with self._making:
            for client in self._clients.values():
                client.close()
            for ledger in self._ledgers.values():
                ledger.close()
            for made in (self._clients, self._paces, self._outages, self._ledgers):
                made.clear()

    def _once(self, made: dict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
        with self._making:
            if key not in made:
                made[key] = make()
            return made[key]


@dataclass(frozen=True)
class Caller:
    """Who asks: the credentials of one orchestrator, in one operation.

    Attributes:
        settings: the orchestrator's.
        connections: what it shares with the others.
        operation: who runs this.
    """

    settings: Settings
    connections: Connections
    operation: Operation = SILENT

    @property
    def client(self) -> Client:
        """The API."""
        return self.connections.client(self.settings)

    @property
    def seals(self) -> list[Seal]:
        """The seals at hand, the one to seal with first."""
        return _seals(self.settings)


@functools.lru_cache(maxsize=32)
def _seals(settings: Settings) -> list[Seal]:
    from ..ledger.sealing import seals

    return seals(settings.ledger_key, settings.api_key)
