"""The kinds of stores that a campaign runs on, and the proxies before those that are on a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.servers.postgres import PostgresServer
from harness.servers.proxies import HttpProxy, TcpProxy
from harness.servers.s3 import S3Server

from .places import Files, Places, Shared

Proxy = HttpProxy | TcpProxy


@dataclass(frozen=True)
class Kind:
    """One kind of store.

    Attributes:
        places: where its ledgers lie.
        proxy: starts a proxy before its server.
        through: a ledger's URL, as it is through a proxy.
    """

    places: Places
    proxy: Callable[[], Proxy]
    through: Callable[[str, Proxy], str]


def sqlite(directory: Path) -> Kind:
    """Files, which have no server."""
    return Kind(Files(directory), _no_proxy, lambda url, _proxy: url)


def s3(server: S3Server) -> Kind:
    """Buckets."""
    return Kind(
        Shared(lambda: server.url(server.bucket())),
        lambda: HttpProxy(server.port),
        lambda url, proxy: url.replace(f":{server.port}", f":{proxy.port}"),
    )


def postgres(server: PostgresServer) -> Kind:
    """Schemas of a database."""
    return Kind(
        Shared(lambda: server.url(server.user())),
        lambda: TcpProxy(server.port),
        lambda url, proxy: f"{url.replace(f':{server.port}/', f':{proxy.port}/')}?sslmode=disable",
    )


def _no_proxy() -> Proxy:
    raise AssertionError("there is no server")
