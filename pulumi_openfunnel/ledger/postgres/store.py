"""Documents in a table of PostgreSQL."""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from ...errors import LedgerUnusable
from ...places import PostgresPlace
from ..patience import patiently
from ..store import Conflict, Document
from . import connections, problems

if TYPE_CHECKING:
    from typing_extensions import LiteralString

PATIENCE = 20.0  # seconds

_AT_ONCE = 1000  # names in one statement
_COLUMNS = ["name text", "version text", "body bytea"]

_LOOK = """
SELECT pg_is_in_recovery(), ARRAY(
    SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = to_regclass('pulumi_openfunnel_ledger') AND attnum > 0 AND NOT attisdropped ORDER BY attnum
)"""
_CREATE = """
CREATE TABLE pulumi_openfunnel_ledger (name text COLLATE "C" PRIMARY KEY, version text NOT NULL, body bytea NOT NULL)"""
# A version begins with the server's clock, in microseconds. A role may have commits that do not wait for the disk: the
# setting is changed within the statement, because a transaction pooler gives each one another session.
_VERSION = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text || '-' || %s::text"
_DURABLY = """set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
    THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS durably"""
_PUT_NEW = f"""
INSERT INTO pulumi_openfunnel_ledger (name, version, body) SELECT %s::text, {_VERSION}, %s::bytea FROM {_DURABLY}
ON CONFLICT (name) DO NOTHING RETURNING version"""  # noqa: S608 - of parts that are constants
_PUT_OVER = f"""
UPDATE pulumi_openfunnel_ledger SET version = {_VERSION}, body = %s::bytea FROM {_DURABLY}
WHERE name = %s AND version = %s RETURNING version"""  # noqa: S608 - as above
_REMOVE = f"DELETE FROM pulumi_openfunnel_ledger USING {_DURABLY} WHERE name = %s"  # noqa: S608 - as above
_GET = "SELECT name, body, version FROM pulumi_openfunnel_ledger WHERE name = ANY(%s)"
_NAMES = "SELECT name FROM pulumi_openfunnel_ledger WHERE name >= %s AND name < %s"


class PostgresStore:
    """The documents in one table. Each call is one statement, and leaves nothing in a session.

    Args:
        place: the database.
        create: whether to make the table where there is none; else a missing one has no documents, and is not written.
        patience: seconds after which a call that fails is not tried again; see :class:`LedgerUnusable`'s ``transient``.

    Attributes:
        is_there: whether the table is.

    Raises:
        LedgerUnusable: when the database cannot be used.
    """

    def __init__(self, place: PostgresPlace, *, create: bool = True, patience: float = PATIENCE) -> None:
        self.place = str(place)
        self._patience = patience
        self._connect = self._arguments(place)
        self._kind = connections.bounded(patience)
        self.is_there = patiently(patience, self._look) or (create and patiently(patience, self._create))
        self._pool = connections.pool(self._kind, self._connect)

    def hastier(self, patience: float) -> PostgresStore:
        """The same store for calls that had better fail than be tried for long; it is closed with this one."""
        twin = copy.copy(self)
        twin._patience = patience  # noqa: SLF001 - of this class
        return twin

    def get(self, name: str) -> Document | None:
        """See :class:`Store`."""
        return self.get_many([name]).get(name)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        """See :class:`Store`."""
        found: dict[str, Document] = {}
        for start in range(0, len(names), _AT_ONCE):
            rows = self._read(_GET, list(names[start : start + _AT_ONCE]))
            found.update({name: Document(bytes(body), version, _written(version)) for name, body, version in rows})
        return found

    def put_new(self, name: str, body: bytes) -> str:
        """See :class:`Store`."""
        return self._put(name, _PUT_NEW, name, uuid.uuid4().hex, body)

    def put_over(self, name: str, body: bytes, version: str) -> str:
        """See :class:`Store`."""
        return self._put(name, _PUT_OVER, uuid.uuid4().hex, body, name, version)

    def remove(self, name: str) -> None:
        """See :class:`Store`."""
        self._write(_REMOVE, name)

    def names(self, prefix: str) -> list[str]:
        """See :class:`Store`."""
        return [name for (name,) in self._read(_NAMES, prefix, f"{prefix}\x7f")]  # names are visible ASCII

    def close(self) -> None:
        """See :class:`Store`."""
        self._pool.close()

    def _arguments(self, place: PostgresPlace) -> dict[str, Any]:
        try:
            return connections.arguments(place)
        except psycopg.ProgrammingError:
            pass  # its text may hold a part of the URL
        raise problems.wrong_url(place)

    def _look(self) -> bool:
        """Whether the ledger's table is there."""
        ((follows, columns),) = self._alone(_LOOK)
        if follows:
            raise problems.replica(self.place)
        if columns and columns != _COLUMNS:
            raise problems.not_ours(self.place)
        return bool(columns)

    def _create(self) -> bool:
        with contextlib.suppress(errors.DuplicateTable, errors.DuplicateObject, errors.UniqueViolation):
            self._alone(_CREATE)
        return self._look()

    def _alone(self, statement: LiteralString) -> list[Any]:
        """What a statement gives on a connection of its own, which tells why there is none."""
        try:
            with self._kind.connect(**self._connect) as connection:
                return _rows(connection.execute(statement))
        except (errors.DuplicateTable, errors.DuplicateObject, errors.UniqueViolation):
            raise
        except psycopg.Error as error:
            failure = problems.unusable(self.place, error)
        raise failure

    def _put(self, name: str, statement: LiteralString, *values: object) -> str:
        rows = self._write(statement, *values)
        if not rows:
            raise Conflict(name)
        ((version,),) = rows
        return str(version)

    def _write(self, statement: LiteralString, *values: object) -> list[Any]:
        if not self.is_there:
            raise problems.no_table(self.place)
        return self._run(statement, *values)

    def _read(self, statement: LiteralString, *values: object) -> list[Any]:
        return self._run(statement, *values) if self.is_there else []

    def _run(self, statement: LiteralString, *values: object) -> list[Any]:
        return patiently(self._patience, lambda: self._once(statement, values))

    def _once(self, statement: LiteralString, values: Sequence[object]) -> list[Any]:
        try:
            with self._pool.connection() as connection:
                return _rows(connection.execute(statement, values))
        except PoolTimeout:
            failure = None
        except psycopg.Error as error:
            failure = problems.unusable(self.place, error)
        raise failure or self._no_connection()

    def _no_connection(self) -> LedgerUnusable:
        """Why the pool has none."""
        try:
            self._kind.connect(**self._connect).close()
        except psycopg.Error as error:
            return problems.unusable(self.place, error)
        return problems.busy(self.place)


def _rows(cursor: psycopg.Cursor[Any]) -> list[Any]:
    return cursor.fetchall() if cursor.description else []


def _written(version: str) -> float:
    return int(version.partition("-")[0]) / 1_000_000
