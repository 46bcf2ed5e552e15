"""The look that ``doctor`` takes at a ledger: whether it can be used, by using it, and what in it needs another key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from ..ledger.documents import MOVED
from ..ledger.listing import listed
from ..ledger.opening import ledger_at
from ..ledger.rules import Ledger
from ..ledger.sealing import Seal
from ..ledger.store import Conflict, Store
from ..places import FilePlace, Place, PostgresPlace
from .findings import Finding, mend, ok

_TRIED = "doctor/"
_PATIENCE = 5.0  # seconds


def look_at_ledger(place: Place, seals: Sequence[Seal]) -> Iterator[Finding]:
    """Open the ledger, write a document beside the others and remove it, and count what is there.

    Raises:
        LedgerUnusable: in one line that says what is wrong and what to do.
    """
    ledger = ledger_at(place, create=False, patience=_PATIENCE)
    try:
        if not _is_there(ledger.archive.store, place):
            yield ok("ledger", f"{place} is not there yet; the first pulumi up makes it")
            return
        if ledger.archive.store.get(MOVED) is not None:
            ledger.check_place()
        yield _tried(ledger.archive.store, place)
        yield from _counted(ledger, seals)
    finally:
        ledger.close()


def _is_there(store: Store, place: Place) -> bool:
    if isinstance(place, FilePlace):
        return place.path.exists()
    if isinstance(place, PostgresPlace):
        from ..ledger.postgres.store import PostgresStore  # of an extra, which is there once the ledger is open

        return not isinstance(store, PostgresStore) or store.is_there
    return True


def _tried(store: Store, place: Place) -> Finding:
    """Everything that an update does to a store, on a document that nobody else reads."""
    name = f"{_TRIED}{uuid.uuid4().hex}"
    version = store.put_new(name, b"tried")
    try:
        refused = _is_refused(store, name)
        store.put_over(name, b"tried again", version)
        found = store.get(name)
    finally:
        store.remove(name)
    if not refused:
        return mend("ledger", f"{place} writes over a document that it was told to leave alone: use another store.")
    if found is None or found.body != b"tried again":
        return mend("ledger", f"{place} does not give back what was written: use another store.")
    store.names(_TRIED)
    return ok("ledger", f"{place} can be read, written, listed and cleared")


def _is_refused(store: Store, name: str) -> bool:
    try:
        store.put_new(name, b"tried once more")
    except Conflict:
        return True
    return False


def _counted(ledger: Ledger, seals: Sequence[Seal]) -> Iterator[Finding]:
    listing = listed(ledger)
    at_hand = {seal.key_id for seal in seals}
    sealed = [row.answer for row in listing.rows if row.answer is not None]
    strange = sum(answer.key_id not in at_hand for answer in sealed)
    yield ok("ledger entries", f"{len(listing.rows)}, {len(sealed)} of them with a sealed answer")
    if strange and at_hand:
        yield mend(
            "ledger entries",
            f"{strange} are sealed under a key that is not at hand. With the old key, run: python -m pulumi_openfunnel ledger "
            "rekey.",
        )
    for problem in listing.problems:
        yield mend("ledger entries", problem)
