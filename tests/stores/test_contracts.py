"""The contract, for each kind of place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import google
from .azure import AzureServer
from .contract import SharedStoreContract
from .faults import NetworkStoreContract
from .google import GoogleServer
from .helpers import Url
from .postgres import PostgresServer, pooler
from .proxies import Cut, Fault, HttpProxy, TcpProxy
from .s3 import S3Server

Server = S3Server | AzureServer | GoogleServer | PostgresServer


class Behind(Url):
    """A place behind a proxy.

    Args:
        url: through the proxy.
        proxy: before the server.
        server: to stop and start.
    """

    def __init__(self, url: str, proxy: HttpProxy | TcpProxy, server: Server) -> None:
        super().__init__(url)
        self.proxy = proxy
        self._server = server
        self._stopped = False

    def stop(self) -> None:
        self._server.stop()
        self._stopped = True

    def start(self) -> None:
        if self._stopped:
            self._server.start()
        self._stopped = False


class TestSqlite(SharedStoreContract):
    """An SQLite file."""

    @pytest.fixture
    def where(self, tmp_path: Path) -> Url:
        return Url(str(tmp_path / "ledger.db"))


class TestS3(NetworkStoreContract):
    """A bucket of S3."""

    @pytest.fixture
    def where(self, s3_server: S3Server) -> Url:
        return Url(s3_server.url(s3_server.bucket()))

    @pytest.fixture
    def behind(self, s3_server: S3Server) -> Iterator[Behind]:
        with contextlib.closing(HttpProxy(s3_server.port)) as proxy:
            place = Behind(s3_server.url(s3_server.bucket(), port=proxy.port), proxy, s3_server)
            yield place
            place.start()


class TestAzure(NetworkStoreContract):
    """A container of Azure Blob Storage."""

    @pytest.fixture
    def where(self, azure_server: AzureServer) -> Url:
        return Url(azure_server.url(azure_server.container()))

    @pytest.fixture
    def behind(self, azure_server: AzureServer) -> Iterator[Behind]:
        with contextlib.closing(HttpProxy(azure_server.port)) as proxy:
            place = Behind(azure_server.url(azure_server.container(), port=proxy.port), proxy, azure_server)
            yield place
            place.start()


class TestGoogleCloud(NetworkStoreContract):
    """A bucket of Google Cloud Storage, as a server of our own plays it."""

    @pytest.fixture(autouse=True)
    def _nothing_unknown(self, google_server: GoogleServer) -> Iterator[None]:
        """What the server of our own does not know, the store does not ask for."""
        yield
        assert google_server.unknown == []

    @pytest.fixture
    def where(self, google_server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> Url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.base_url)
        return Url(google.url(google_server.bucket()))

    @pytest.fixture
    def behind(self, google_server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
        with contextlib.closing(HttpProxy(google_server.port)) as proxy:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{proxy.port}")
            place = Behind(google.url(google_server.bucket()), proxy, google_server)
            yield place
            place.start()


class TestPostgres(NetworkStoreContract):
    """A table of PostgreSQL."""

    throttled: Fault = Cut()  # a server without connections to spare closes them

    @pytest.fixture
    def where(self, postgres_server: PostgresServer) -> Url:
        return Url(postgres_server.url(postgres_server.user()))

    @pytest.fixture
    def behind(self, postgres_server: PostgresServer) -> Iterator[Behind]:
        with contextlib.closing(TcpProxy(postgres_server.port)) as proxy:
            url = f"{postgres_server.url(postgres_server.user(), port=proxy.port)}?sslmode=disable"  # to be looked into
            place = Behind(url, proxy, postgres_server)
            yield place
            place.start()


class TestPooledPostgres(NetworkStoreContract):
    """A table of PostgreSQL behind PgBouncer, where each statement may get another session."""

    throttled: Fault = Cut()

    @pytest.fixture
    def where(self, postgres_server: PostgresServer) -> Iterator[Url]:
        user = postgres_server.user()
        with pooler(postgres_server, user) as port:
            yield Url(postgres_server.url(user, port=port))

    @pytest.fixture
    def behind(self, postgres_server: PostgresServer) -> Iterator[Behind]:
        user = postgres_server.user()
        with pooler(postgres_server, user) as port, contextlib.closing(TcpProxy(port)) as proxy:
            place = Behind(postgres_server.url(user, port=proxy.port), proxy, postgres_server)
            yield place
            place.start()
