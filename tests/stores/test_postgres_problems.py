"""What stands in the way of a ledger in PostgreSQL, each in one line that says what to do; and what has to be durable."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.patience import patiently
from pulumi_openfunnel.ledger.store import Conflict, Store

from .helpers import ENDS, IMPATIENCE, Url, check_line, together
from .postgres import ADMIN, PostgresServer, pooler

TABLE = "pulumi_openfunnel_ledger"
OURS = f"{TABLE} (name text PRIMARY KEY, version text, body bytea)"


@pytest.fixture(scope="module")
def replica(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that follows the tests' one."""
    with contextlib.closing(PostgresServer(postgres_server)) as follows:
        yield follows


@pytest.fixture
def user(postgres_server: PostgresServer) -> str:
    return postgres_server.user()


def _read(store: Store) -> object:
    return store.get("users/a")


def _write(store: Store) -> object:
    return store.put_new("users/a", b"A")


def _refusal(url: str, call: Callable[[Store], object] = _read, *, create: bool = True) -> LedgerUnusable:
    """The error that a call on a place ends with, which is one line and hides what has to be hidden."""
    opening = Url(url)
    with pytest.raises(LedgerUnusable) as caught, contextlib.ExitStack() as stack:
        call(stack.enter_context(contextlib.closing(opening.open(create=create, patience=IMPATIENCE))))
    check_line(caught.value, url)
    return caught.value


@pytest.mark.parametrize("create", [True, False])
def test_a_wrong_password(postgres_server: PostgresServer, user: str, create: bool) -> None:
    """A password that is refused is told at once, at a preview as well, and not shown."""
    error = _refusal(postgres_server.url(user, password="pass-word%2Fwrong"), create=create)
    assert (error.problem, error.transient) == ("does not accept the user or the password", False)


def test_no_password(postgres_server: PostgresServer, user: str) -> None:
    """A URL without a password, where one is asked for, is told."""
    error = _refusal(f"postgres://{user}@127.0.0.1:{postgres_server.port}/postgres")
    assert error.problem == "does not accept the user or the password"


def test_an_unknown_user(postgres_server: PostgresServer) -> None:
    """A user whom the server does not know is told."""
    assert _refusal(postgres_server.url("nobody")).problem == "does not accept the user or the password"


def test_no_such_database(postgres_server: PostgresServer, user: str) -> None:
    """A database that is not there is told."""
    url = postgres_server.url(user).replace("/postgres", "/nowhere")
    assert _refusal(url).problem == "cannot be used: there is no such database"


def test_a_parameter_that_libpq_does_not_know(postgres_server: PostgresServer, user: str) -> None:
    """What libpq does not take in a URL is told without the URL; Pulumi's own parameter is no trouble."""
    assert "library does not take" in _refusal(f"{postgres_server.url(user)}?nonsense=pass-word").problem
    assert "library does not take" in _refusal(f"{postgres_server.url(user)}?sslmode=nonsense").problem
    with contextlib.closing(Url(f"{postgres_server.url(user)}?table=pulumi_state").open()) as store:
        assert _read(store) is None


def test_a_schema_without_permission(postgres_server: PostgresServer, user: str) -> None:
    """A user who may not make the table is told what to grant; a preview reads as if nothing were there."""
    postgres_server.run(f"DROP SCHEMA {user}")
    with contextlib.closing(Url(postgres_server.url(user)).open(create=False)) as store:
        assert _read(store) is None
    error = _refusal(postgres_server.url(user))
    assert error.problem == f"may not be used: permission is missing on {TABLE}, or to make it"
    assert "GRANT CREATE ON SCHEMA public" in error.way_out
    assert not error.transient


def test_a_table_without_permission(postgres_server: PostgresServer, user: str) -> None:
    """A user who may not read the table, or not write it, is told; the least grants are enough for everything."""
    postgres_server.run(f"CREATE TABLE {user}.{OURS}", f"GRANT USAGE ON SCHEMA {user} TO {user}")
    url = postgres_server.url(user)
    assert "permission is missing" in _refusal(url).problem
    postgres_server.run(f"GRANT SELECT ON {user}.{TABLE} TO {user}")
    assert "permission is missing" in _refusal(url, _write).problem
    postgres_server.run(f"GRANT INSERT, UPDATE, DELETE ON {user}.{TABLE} TO {user}")
    with contextlib.closing(Url(url).open()) as store:
        store.put_over("users/a", b"B", store.put_new("users/a", b"A"))
        assert store.names("") == ["users/a"]
        store.remove("users/a")
        assert _read(store) is None


@pytest.mark.parametrize(
    "made",
    [
        f"TABLE {{}}.{TABLE} (id int)",
        f"TABLE {{}}.{TABLE} (name text PRIMARY KEY, version int, body bytea)",
        f"TABLE {{}}.{TABLE} (name text PRIMARY KEY, version text, body bytea, more text)",
        f"VIEW {{}}.{TABLE} AS SELECT 1 AS name",
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_a_table_that_is_not_ours(postgres_server: PostgresServer, user: str, made: str, create: bool) -> None:
    """A table of the same name with other columns is left alone, and told."""
    postgres_server.run(f"CREATE {made.format(user)}", f"GRANT ALL ON {user}.{TABLE} TO {user}")
    error = _refusal(postgres_server.url(user), create=create)
    assert error.problem == f"has a table {TABLE} that is no ledger"
    assert not error.transient


def test_a_table_whose_names_may_repeat(postgres_server: PostgresServer, user: str) -> None:
    """A table without a key would take the same name twice: the first write tells."""
    table = f"{user}.{TABLE}"
    postgres_server.run(
        f"CREATE TABLE {table} (name text, version text, body bytea)", f"GRANT ALL ON {table} TO {user}"
    )
    assert _refusal(postgres_server.url(user), _write).problem == f"has a table {TABLE} that is no ledger"


def test_a_table_that_goes_away(postgres_server: PostgresServer, user: str) -> None:
    """A table that somebody drops while it is used is told, and not made again."""
    with contextlib.closing(Url(postgres_server.url(user)).open(patience=IMPATIENCE)) as store:
        _write(store)
        postgres_server.run(f"DROP TABLE {user}.{TABLE}")
        for call in (_read, _write):
            with pytest.raises(LedgerUnusable, match=f"has no table {TABLE}"):
                call(store)


def test_a_preview_writes_no_table(postgres_server: PostgresServer, user: str) -> None:
    """A store that is not to be made makes no table, and a write without one is an error."""
    url = postgres_server.url(user)
    assert _refusal(url, _write, create=False).problem == f"has no table {TABLE}"
    assert postgres_server.run(f"SELECT to_regclass('{user}.{TABLE}')") == [(None,)]


def test_many_that_start_at_once_make_one_table(postgres_server: PostgresServer, user: str) -> None:
    """Runs that all find no table at the same moment share the one that comes to be."""
    url = postgres_server.url(user)

    def start(number: int) -> str:
        with contextlib.closing(Url(url).open()) as store:
            return store.put_new(f"users/{number}", b"A")

    results = together([partial(start, number) for number in range(12)])
    assert [result for result in results if not isinstance(result, str)] == []
    with contextlib.closing(Url(url).open(create=False)) as store:
        assert len(store.names("users/")) == 12


def test_a_read_replica(replica: PostgresServer) -> None:
    """A server that only follows another one is refused, for reading as well: what it tells may be old."""
    for create in (True, False):
        error = _refusal(replica.url(ADMIN), create=create)
        assert error.problem == "is a read replica, whose answers may be old"
        assert not error.transient


def test_a_user_who_only_reads(postgres_server: PostgresServer, user: str) -> None:
    """Transactions that are read-only by default are told."""
    with contextlib.closing(Url(postgres_server.url(user)).open()) as store:
        _write(store)
    postgres_server.run(f"ALTER ROLE {user} SET default_transaction_read_only = on")
    assert _refusal(postgres_server.url(user), _write).problem == "is read-only"


def test_serializable_transactions_are_no_trouble(postgres_server: PostgresServer, user: str) -> None:
    """Under the strictest isolation, writers that meet are one winner and conflicts, never an error of the database's."""
    postgres_server.run(f"ALTER ROLE {user} SET default_transaction_isolation = 'serializable'")
    with contextlib.closing(Url(postgres_server.url(user)).open()) as store:
        version = store.put_new("users/a", b"")
        results = together([lambda: store.put_over("users/a", b"A", version) for _ in range(16)])
        assert [type(result) for result in results if not isinstance(result, str)] == [Conflict] * 15


def test_no_connection_to_spare(postgres_server: PostgresServer, user: str) -> None:
    """A user who has no connections left is told that it may pass."""
    postgres_server.run(f"ALTER ROLE {user} CONNECTION LIMIT 0")
    assert _refusal(postgres_server.url(user)).transient


def test_more_threads_than_the_user_has_connections(postgres_server: PostgresServer, user: str) -> None:
    """With fewer connections allowed than a process takes, all threads come to their end."""
    with contextlib.closing(Url(postgres_server.url(user)).open()) as store:
        postgres_server.run(f"ALTER ROLE {user} CONNECTION LIMIT 3")
        results = together([partial(store.put_new, f"users/{number}", b"A") for number in range(32)])
        assert [result for result in results if not isinstance(result, str)] == []


def test_a_lock_holds_nobody_for_ever(postgres_server: PostgresServer, user: str) -> None:
    """A table that somebody locks is given up in time; afterwards all is well, on connections that are whole."""
    with contextlib.closing(Url(postgres_server.url(user)).open(patience=IMPATIENCE)) as store:
        _write(store)
        with psycopg.connect(postgres_server.url(ADMIN)) as locker:
            locker.execute(f"LOCK TABLE {user}.{TABLE}".encode())
            started = time.monotonic()
            results = together([lambda: _read(store)] * 30)
            assert [type(result) for result in results] == [LedgerUnusable] * 30
            assert all(isinstance(result, LedgerUnusable) and result.transient for result in results)
            assert time.monotonic() - started < ENDS
        assert patiently(ENDS, lambda: _read(store)) is not None


def test_a_frozen_server_holds_nobody_for_ever(postgres_server: PostgresServer, user: str) -> None:
    """A server whose processes are stopped takes connections and says nothing: each call ends all the same."""
    with contextlib.closing(Url(postgres_server.url(user)).open(patience=IMPATIENCE)) as store:
        _write(store)
        postgres_server.freeze()
        try:
            started = time.monotonic()
            for call in (_read, _write):
                with pytest.raises(LedgerUnusable) as caught:
                    call(store)
                assert caught.value.transient
            assert _refusal(postgres_server.url(user)).transient
            assert time.monotonic() - started < ENDS
        finally:
            postgres_server.thaw()
        assert patiently(ENDS, lambda: _read(store)) is not None


def test_another_machine_is_asked_for_tls(postgres_server: PostgresServer, user: str) -> None:
    """A certificate is looked at where the URL asks for it; an authority that is named is trusted."""
    url = postgres_server.url(user)
    error = _refusal(f"{url}?sslmode=verify-full&sslrootcert=/dev/null")
    assert error.problem == "has a certificate that is not trusted"
    authority = postgres_server.certificates.authority
    authority.chmod(0o644)
    authority.parent.chmod(0o755)
    with contextlib.closing(Url(f"{url}?sslmode=verify-full&sslrootcert={authority}").open()) as store:
        assert _read(store) is None


def test_a_server_without_tls(postgres_server: PostgresServer, user: str) -> None:
    """Where TLS is asked for and the server has none, the parameter that goes without is named."""
    with pooler(postgres_server, user) as port:
        error = _refusal(f"{postgres_server.url(user, port=port)}?sslmode=require")
    assert error.problem == "speaks no TLS"
    assert "sslmode=disable" in error.way_out


def test_a_host_that_is_not_found() -> None:
    """A name that does not resolve is told, and may pass."""
    error = _refusal("postgres://user:pass-word@nowhere.invalid/db")
    assert (error.problem, error.transient) == ("cannot be reached: its host was not found", True)


@pytest.mark.parametrize("module", ["psycopg", "psycopg_pool"])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Without psycopg one line says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    error = _refusal("postgres://user:pass-word@127.0.0.1:1/db")
    assert (error.problem, error.way_out) == (
        'needs the extra "postgres"',
        "Run: pip install 'pulumi-openfunnel[postgres]'.",
    )
