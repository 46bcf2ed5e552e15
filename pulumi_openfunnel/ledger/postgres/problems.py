"""Why PostgreSQL did not do as it was asked, in our words. Its own messages name hosts and users, and may hold a part of a URL."""

from __future__ import annotations

import psycopg

from ...errors import LedgerUnusable
from .connections import Late

TABLE = "pulumi_openfunnel_ledger"

_SETTING = "openfunnel:ledger"
_AGAIN = "Run pulumi up again once it answers."
_CORRECT = f"Correct the URL: pulumi config set --secret {_SETTING} (or set OPENFUNNEL_LEDGER)."
_GRANT = (
    f"Give the URL's role SELECT, INSERT, UPDATE and DELETE on {TABLE}; before there is one, CREATE on the schema "
    "(GRANT CREATE ON SCHEMA public TO …), once."
)
_KEEP = f"It needs its own table {TABLE}: name another database, or a role with another search_path."

_LOGIN = ("28P01", "28000")
_PASSES = (
    *("40001", "40P01", "55P03", "57014"),  # another transaction, or a timeout of the server's
    *("57P01", "57P02", "57P03", "57P05"),  # it ends or starts
    *("53300", "53400"),  # too many connections
)
_NOT_OURS = ("42703", "42P10", "42804", "42809", "23502", "22P02")


def unusable(place: object, error: psycopg.Error) -> LedgerUnusable:
    """The error that says what is wrong with the database."""
    if isinstance(error, Late):
        return LedgerUnusable(place, "did not answer in time", _AGAIN, transient=True)
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return wrong_url(place)
    state = error.sqlstate
    return _by_state(place, state) if state is not None else _connecting(place, str(error))


def wrong_url(place: object) -> LedgerUnusable:
    """The error for a URL that libpq cannot read."""
    return LedgerUnusable(place, "cannot be used: PostgreSQL's library does not take the URL's parameters", _CORRECT)


def no_table(place: object) -> LedgerUnusable:
    """The error for a write before there is a table."""
    return LedgerUnusable(place, f"has no table {TABLE}", "Run pulumi up, which makes it.")


def not_ours(place: object) -> LedgerUnusable:
    """The error for a table of the same name that is something else."""
    return LedgerUnusable(place, f"has a table {TABLE} that is no ledger", _KEEP)


def replica(place: object) -> LedgerUnusable:
    """The error for a server that only follows another one, so that what it tells may be old."""
    return LedgerUnusable(place, "is a read replica, whose answers may be old", f"Name the primary. {_CORRECT}")


def busy(place: object) -> LedgerUnusable:
    """The error for a server that is slow, so that all connections of this process are in use."""
    return LedgerUnusable(place, "did not get to it in time", _AGAIN, transient=True)


def _by_state(place: object, state: str) -> LedgerUnusable:  # noqa: PLR0911 - a table
    if state in _LOGIN:
        return LedgerUnusable(place, "does not accept the user or the password", _CORRECT)
    if state == "3D000":
        return LedgerUnusable(place, "cannot be used: there is no such database", f"Make it. {_CORRECT}")
    if state == "42501":
        return LedgerUnusable(place, f"may not be used: permission is missing on {TABLE}, or to make it", _GRANT)
    if state == "25006":
        return LedgerUnusable(place, "is read-only", f"Name the primary. {_CORRECT}")
    if state in ("42P01", "3F000"):
        return no_table(place)
    if state in _NOT_OURS:
        return not_ours(place)
    if state in ("53100", "53200"):
        return LedgerUnusable(place, "has no space left", "Give it some, and run pulumi up again.")
    transient = state in _PASSES or state.startswith("08")
    return LedgerUnusable(place, f"is out of order (SQLSTATE {state})", _AGAIN, transient=transient)


def _connecting(place: object, said: str) -> LedgerUnusable:  # noqa: PLR0911 - a table
    """Libpq tells why there is no connection in text alone. In another language than English the last line is told."""
    if any(known in said for known in ("password authentication failed", "no password supplied", "no such user")):
        return _by_state(place, _LOGIN[0])
    if "pg_hba.conf" in said:
        problem = "does not let the user in from here, or not so (pg_hba.conf: encryption, address, database)"
        return LedgerUnusable(place, problem, _CORRECT)
    if "does not exist" in said or "no such database" in said:
        known_user = 'role "' not in said
        return _by_state(place, "3D000" if known_user else _LOGIN[0])
    if "certificate" in said or "SSL error" in said:
        way_out = "Add sslrootcert=… to the URL, or sslmode=require, which does not look at the certificate."
        return LedgerUnusable(place, "has a certificate that is not trusted", way_out)
    if "does not support SSL" in said:
        way_out = "Turn TLS on there, or, on a network that you trust, add sslmode=disable to the URL."
        return LedgerUnusable(place, "speaks no TLS", way_out)
    if "invalid" in said and "value" in said:
        return wrong_url(place)
    if "resolve host" in said or "translate host" in said:
        return LedgerUnusable(
            place, "cannot be reached: its host was not found", f"{_AGAIN} {_CORRECT}", transient=True
        )
    return LedgerUnusable(place, "cannot be reached: the connection failed", _AGAIN, transient=True)
