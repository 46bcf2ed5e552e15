"""The database of the ledger's rows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .file import Schema, check_creatable, named, named_problems, pragma, unusable
from .file import connect as _connect

__all__ = ["check_creatable", "connect", "named", "named_problems", "unusable"]

APPLICATION_ID = 0x4F464C47  # "OFLG"
SCHEMA_VERSION = 1
BUSY_TIMEOUT = 30.0  # seconds to wait for another process's write

_pragma = pragma
_TABLE = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    base_url TEXT NOT NULL,
    user_id TEXT NOT NULL,
    internal_email TEXT NOT NULL,
    email TEXT NOT NULL,
    status TEXT NOT NULL,
    run TEXT NOT NULL,
    asking INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    unanswered INTEGER NOT NULL DEFAULT 0,
    key_id TEXT,
    sealed BLOB,
    fingerprint TEXT,
    problem TEXT,
    created REAL NOT NULL,
    changed REAL NOT NULL
)"""
_LIVE = """
CREATE UNIQUE INDEX live ON users (base_url, internal_email, email, user_id)
    WHERE status IN ('asked', 'issued', 'released') OR (status = 'answered' AND problem IS NULL)"""
_SCHEMA = Schema(
    APPLICATION_ID,
    SCHEMA_VERSION,
    (
        _TABLE,
        _LIVE,
        "CREATE INDEX users_of_email ON users (base_url, internal_email)",
        "CREATE INDEX fingerprints ON users (fingerprint)",
    ),
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger's database; see :func:`file.connect`."""
    db = _connect(path, _SCHEMA, BUSY_TIMEOUT)
    db.row_factory = sqlite3.Row
    return db
