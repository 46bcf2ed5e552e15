"""Where the ledgers of a campaign lie: files, buckets, or databases of a server that the campaign starts."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.servers.postgres import PostgresServer
from harness.servers.s3 import S3Server
from pulumi_openfunnel.ledger.codec import decode
from pulumi_openfunnel.ledger.documents import Answer, Attempt, User, answer_name
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.store import Document, Store
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger.turns import opened
from pulumi_openfunnel.ledger_urls import parse

FILE, S3, POSTGRES = "file", "s3", "postgres"
_BUCKETS = ("s3", "gs", "azblob")


@dataclass(frozen=True)
class Ledgers:
    """Where each run gets a ledger of its own.

    Attributes:
        new: the setting for a run, given the run's directory.
        shared: whether machines share it, so that what each machine holds besides can go.
    """

    new: Callable[[Path], str]
    shared: bool


@contextlib.contextmanager
def ledgers(where: str, directory: Path) -> Iterator[Ledgers]:
    """Ledgers until the context ends.

    Args:
        where: ``"file"``; ``"s3"`` or ``"postgres"`` for a server that is started here; or the URL of one that runs.
        directory: for the files of such a server.
    """
    if where == FILE:
        yield Ledgers(lambda run: str(run / "ledger" / "ledger.db"), shared=False)
    elif where == S3:
        with contextlib.closing(S3Server(directory)) as s3:
            os.environ.update(s3.environment)  # for the commands, and for whoever looks at the ledger here
            yield Ledgers(lambda _run: s3.url(s3.bucket()), shared=True)
    elif where == POSTGRES:
        with contextlib.closing(PostgresServer()) as postgres:
            yield Ledgers(lambda _run: postgres.url(postgres.user()), shared=True)
    else:
        parse(where)
        yield Ledgers(lambda _run: _part(where), shared=True)


def documents(url: str) -> dict[str, Document]:
    """All that lies in a ledger now, by name; nothing is made."""
    place = parse(url)
    if place is None:
        return {}
    with contextlib.closing(store_at(place, create=False)) as store:
        return _all(store)


def answers(found: dict[str, Document], at_hand: list[Seal]) -> frozenset[tuple[str, bytes]]:
    """The answers in a ledger that are listed and can be opened, each with its internal email."""
    users = [decode(User, name, one.body, "") for name, one in found.items() if name.startswith("users/")]
    bodies = (
        (user.internal_email, _body(found, user, attempt, at_hand)) for user in users for attempt in user.attempts
    )
    return frozenset((email, body) for email, body in bodies if body is not None)


def _body(found: dict[str, Document], user: User, attempt: Attempt, at_hand: list[Seal]) -> bytes | None:
    name = answer_name(attempt.answer)
    if name not in found:
        return None
    return opened(decode(Answer, name, found[name].body, ""), user.identity(attempt), at_hand)


def _all(store: Store) -> dict[str, Document]:
    return store.get_many(store.names(""))


def _part(url: str) -> str:
    """A prefix of its own below a bucket's URL; runs share a database's table, since none has the users of another."""
    parts = urlsplit(url)
    if parts.scheme not in _BUCKETS:
        return url
    return parts._replace(path=f"{parts.path.rstrip('/')}/{uuid.uuid4().hex}").geturl()
