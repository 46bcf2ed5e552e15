"""Connections to a PostgreSQL server, none of which can keep a thread for ever."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from ...places import PostgresPlace
from ..extras import quiet

AT_MOST = 20
"""Connections of one process."""

_CONNECTING = 5  # seconds
_ANSWERING = 10.0
_IDLE = 120.0
_NOTHING_READY = 0  # what psycopg sends into a generator when its interval is over

T = TypeVar("T")


class Late(psycopg.OperationalError):
    """The server did not answer in time."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no statement waits longer than some seconds for the server.

    A timeout of the server's own would be state of the session, which a transaction pooler hands to somebody else, and
    a server that is frozen would not keep it.

    Attributes:
        answering: the seconds.
    """

    answering: ClassVar[float]

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """See psycopg. A connection that was given up is closed: what is under way on it is not known."""
        try:
            return super().wait(_until(gen, time.monotonic() + self.answering), *args, **kwargs)
        except Late:
            self.close()
            raise


def bounded(patience: float) -> type[BoundedConnection]:
    """The connections of a caller who has so many seconds."""
    return type("Bounded", (BoundedConnection,), {"answering": min(_ANSWERING, patience)})


def arguments(place: PostgresPlace) -> dict[str, Any]:
    """How to connect; what the URL says comes first.

    Raises:
        psycopg.ProgrammingError: when libpq cannot read the URL. Its text may hold a part of it.
    """
    given = conninfo_to_dict(place.url)
    ours: dict[str, Any] = {
        "connect_timeout": _CONNECTING,
        "application_name": "pulumi-openfunnel",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    if not place.local and not os.environ.get("PGSSLMODE"):
        ours["sslmode"] = "require"  # as it is with Pulumi's driver, for the same URL
    return {**ours, **given, "autocommit": True, "prepare_threshold": None}


def pool(kind: type[BoundedConnection], connect: dict[str, Any]) -> ConnectionPool[BoundedConnection]:
    """Connections to share, made when they are needed."""
    quiet("psycopg")
    return ConnectionPool(
        kwargs=connect,
        connection_class=kind,
        min_size=0,
        max_size=AT_MOST,
        max_idle=_IDLE,
        timeout=kind.answering,
        reconnect_timeout=_CONNECTING,
        open=True,
    )


def _until(gen: Generator[Any, Any, T], ends: float) -> Generator[Any, Any, T]:
    """The same steps, until the time is over."""
    try:
        asked = next(gen)
        while True:
            ready = yield asked
            if ready == _NOTHING_READY and time.monotonic() > ends:
                raise Late("no answer in time")
            asked = gen.send(ready)
    except StopIteration as stop:
        result: T = stop.value
        return result
