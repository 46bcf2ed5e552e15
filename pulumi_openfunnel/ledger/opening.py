"""The ledger of a place: its store, and who of those that use it lives."""

from __future__ import annotations

from ..places import FilePlace, Place
from .leases import Leases
from .rules import Ledger
from .stores import PATIENCE, shared_store_at, store_at

_RENEWALS_PATIENCE = 5.0  # seconds: a renewal that takes longer had better fail, and be made anew


def ledger_at(place: Place, *, create: bool = True, patience: float = PATIENCE) -> Ledger:
    """Open the ledger of a place.

    Args:
        place: where it is.
        create: whether the file or the table is made where there is none. A ledger that is not may be looked at alone.
        patience: seconds after which a call that fails is not tried again.

    Raises:
        LedgerUnusable: when it cannot be used, or needs an extra that is not installed.
    """
    if isinstance(place, FilePlace):  # runs on one machine hold a lock that dies with them
        from .sqlite.owners import FlockOwners

        return Ledger(store_at(place, create=create, patience=patience), FlockOwners(place.path))
    # Where machines share a store, each renews a lease.
    store = shared_store_at(place, create=create, patience=patience)
    return Ledger(store, Leases(store.hastier(min(_RENEWALS_PATIENCE, patience))))
