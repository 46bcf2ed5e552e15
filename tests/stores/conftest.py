"""One server of each kind for all tests of a session, and a place of its own for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from . import azure, google, s3
from .postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with contextlib.closing(PostgresServer()) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    with contextlib.closing(s3.S3Server(tmp_path_factory.mktemp("s3"))) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure.AzureServer]:
    with contextlib.closing(azure.AzureServer(tmp_path_factory.mktemp("azure"))) as server:
        yield server


@pytest.fixture(scope="session")
def google_server() -> Iterator[google.GoogleServer]:
    with contextlib.closing(google.GoogleServer()) as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own, and what the servers here take."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
    monkeypatch.setenv("AZURE_STORAGE_KEY", azure.KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
