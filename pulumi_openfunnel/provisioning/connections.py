"""What all threads of a process share: one client and one pace for an API, one connection to a ledger."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from ..api.client import Client
from ..api.retries import Outage, Pace
from ..ledger.ledger import Ledger
from ..ledger.sqlite.database import check_creatable
from ..settings import Settings

T = TypeVar("T")

_making = threading.Lock()
_clients: dict[Hashable, Client] = {}
_paces: dict[Hashable, Pace] = {}
_outages: dict[Hashable, Outage] = {}
_ledgers: dict[Hashable, Ledger] = {}


def client_of(settings: Settings) -> Client:
    """The API that the settings name."""
    key = (settings.base_url, settings.timeout)
    return _once(_clients, key, lambda: Client(settings.base_url, settings.timeout))


def pace_of(settings: Settings) -> Pace:
    """The pace of all requests to it."""
    return _once(_paces, settings.base_url, Pace)


def outage_of(settings: Settings) -> Outage:
    """Whether its balance endpoint answers nobody, which says nothing of its other one."""
    return _once(_outages, settings.base_url, Outage)


def ledger_at(path: Path) -> Ledger:
    """The ledger of that path; made when it is not there.

    Raises:
        LedgerUnusable: when it cannot be had.
    """
    return _once(_ledgers, path, lambda: Ledger(path))


def known_ledger(path: Path) -> Ledger | None:
    """The same, when there is one: nothing is made.

    Raises:
        LedgerUnusable: when it cannot be used, or could not be made.
    """
    if os.path.lexists(path):
        return ledger_at(path)
    check_creatable(path)
    return None


def _once(made: dict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
    with _making:
        if key not in made:
            made[key] = make()
        return made[key]
