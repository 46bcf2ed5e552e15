"""The store of a place, with what it needs loaded only now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..places import BucketPlace, FilePlace, Place, PostgresPlace
from .extras import extra
from .store import Store

if TYPE_CHECKING:
    from .objects.store import ObjectStore
    from .postgres.store import PostgresStore

PATIENCE = 20.0  # seconds


def store_at(place: Place, *, create: bool = True, patience: float = PATIENCE) -> Store:
    """Open the store of a place.

    Args:
        place: where it is.
        create: whether the file or the table is made where there is none; a preview makes nothing, and reads one that
            is missing as one without documents.
        patience: seconds after which a call that fails is not tried again; it then raises LedgerUnusable, whose
            ``transient`` says that the same call may succeed later.

    Raises:
        LedgerUnusable: when it cannot be used, or needs an extra that is not installed.
    """
    if isinstance(place, FilePlace):
        from .sqlite.store import SqliteStore

        return SqliteStore(place.path, create=create, patience=patience)
    return shared_store_at(place, create=create, patience=patience)


def shared_store_at(
    place: BucketPlace | PostgresPlace, *, create: bool = True, patience: float = PATIENCE
) -> ObjectStore | PostgresStore:
    """The same, of a place that machines share.

    Raises:
        LedgerUnusable: see :func:`store_at`.
    """
    if isinstance(place, PostgresPlace):
        extra("psycopg_pool", "postgres", place)
        extra("psycopg", "postgres", place)
        from .postgres.store import PostgresStore

        return PostgresStore(place, create=create, patience=patience)
    from .objects.store import ObjectStore

    return ObjectStore(place, patience=patience)
