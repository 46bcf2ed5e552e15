"""What the requests of one operation share: one client and one pace for an API, one connection to a ledger."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..operation import SILENT, Operation
from ..places import Place
from ..settings import Settings
from .memory import Memory

if TYPE_CHECKING:  # loaded when they are needed: a preview of nothing new makes no request
    from ..api.client import Client
    from ..api.pace import Outage, Pace
    from ..ledger.rules import Ledger
    from ..ledger.sealing import Seal
    from .waiting import Room

T = TypeVar("T")


class Connections:
    """Clients, paces and ledgers, each made when it is first asked for. Safe to share between threads.

    Attributes:
        accepted: settings with which a user was created, so that a later refusal is that user's alone.
    """

    def __init__(self) -> None:
        self.accepted: set[Settings] = set()
        self._making = threading.Lock()
        self._clients: dict[Hashable, Client] = {}
        self._paces: dict[Hashable, Pace] = {}
        self._outages: dict[Hashable, Outage] = {}
        self._ledgers: dict[Hashable, Ledger] = {}
        self._seen_ledgers: dict[Hashable, Ledger] = {}
        self._rooms: dict[Hashable, Room] = {}
        self._known: dict[Hashable, frozenset[str]] = {}

    def client(self, settings: Settings) -> Client:
        """The API that the settings name."""
        from ..api.client import Client

        key = (settings.base_url, settings.timeout)
        return self._once(self._clients, key, lambda: Client(settings.base_url, settings.timeout))

    def pace(self, settings: Settings) -> Pace:
        """The pace of all create-user requests to it."""
        from ..api.pace import Pace

        return self._once(self._paces, settings.base_url, Pace)

    def outage(self, settings: Settings) -> Outage:
        """Whether its balance endpoint answers nobody, which says nothing of its other one."""
        from ..api.pace import Outage

        return self._once(self._outages, settings.base_url, Outage)

    def ledger(self, place: Place) -> Ledger:
        """The ledger of that place; made when it is not there.

        Raises:
            LedgerUnusable: when it cannot be had.
        """
        from ..ledger.opening import ledger_at

        return self._once(self._ledgers, place, lambda: ledger_at(place))

    def seen_ledger(self, place: Place) -> Ledger:
        """The same, to be looked at: nothing is made, and one that is not there holds nothing.

        Raises:
            LedgerUnusable: when it cannot be read, or could not be made.
        """
        from ..ledger.opening import ledger_at

        if place in self._ledgers:
            return self._ledgers[place]
        return self._once(self._seen_ledgers, place, lambda: ledger_at(place, create=False))

    def known_users(self, place: Place) -> frozenset[str]:
        """The users that the ledger has documents of, by their names; read once."""
        ledger = self.seen_ledger(place)
        return self._once(self._known, place, lambda: frozenset(ledger.archive.store.names("users/")))

    def room(self, place: Place) -> Room:
        """Where those wait whose users another run is creating."""
        from .waiting import Room

        ledger = self.ledger(place)
        return self._once(self._rooms, place, lambda: Room(ledger))

    def close(self) -> None:
        """Close all of them."""
        with self._making:
            for client in self._clients.values():
                client.close()
            for ledger in (*self._ledgers.values(), *self._seen_ledgers.values()):
                ledger.close()
            for made in (
                self._clients,
                self._paces,
                self._outages,
                self._ledgers,
                self._seen_ledgers,
                self._rooms,
                self._known,
            ):
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
        memory: what the operation has seen of its stack.
    """

    settings: Settings
    connections: Connections
    operation: Operation = SILENT
    memory: Memory = field(default_factory=Memory)

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
