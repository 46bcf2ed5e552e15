"""A write to PostgreSQL that returned is on the disk, whatever the role's default."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from .helpers import Url
from .postgres import PostgresServer, pooler

TABLE = "pulumi_openfunnel_ledger"


@pytest.fixture
def user(postgres_server: PostgresServer) -> str:
    return postgres_server.user()


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pooled"])
def test_a_write_is_on_the_disk_when_it_returns(postgres_server: PostgresServer, user: str, pooled: bool) -> None:
    """A role whose commits do not wait for the disk has ledger writes that do, and its other commits stay as they are."""
    postgres_server.run(f"ALTER ROLE {user} SET synchronous_commit = off")
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(pooler(postgres_server, user)) if pooled else postgres_server.port
        url = postgres_server.url(user, port=port)
        store = stack.enter_context(contextlib.closing(Url(url).open()))
        postgres_server.run(*_recorder(user))
        version = store.put_over("users/a", b"B", store.put_new("users/a", b"A"))
        assert version
        store.remove("users/a")
        assert postgres_server.run(f"SELECT told FROM {user}.commits") == [("on",)] * 3
        with psycopg.connect(url, prepare_threshold=None) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)


def _recorder(user: str) -> list[str]:
    """Statements that write down, at the end of each change of the table, how it is going to be committed."""
    return [
        f"CREATE TABLE {user}.commits (told text)",
        f"GRANT ALL ON {user}.commits TO {user}",
        f"CREATE FUNCTION {user}.record() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN INSERT INTO {user}.commits VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$",
        f"CREATE CONSTRAINT TRIGGER recorded AFTER INSERT OR UPDATE OR DELETE ON {user}.{TABLE} "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {user}.record()",
    ]


def test_a_stricter_commit_stays(postgres_server: PostgresServer, user: str) -> None:
    """A role whose commits wait for a replica to apply them keeps that."""
    postgres_server.run(f"ALTER ROLE {user} SET synchronous_commit = remote_apply")
    with contextlib.closing(Url(postgres_server.url(user)).open()) as store:
        postgres_server.run(*_recorder(user))
        store.put_new("users/a", b"A")
        assert postgres_server.run(f"SELECT told FROM {user}.commits") == [("remote_apply",)]
