"""Servers for every kind of test, of other make, and the simulator; provider processes."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.servers.postgres import PostgresServer
from harness.servers.s3 import S3Server
from pulumi_openfunnel.simulator import Account, Accounts, serve

from .provider_process import Start, starter
from .servers import ORCHESTRATOR, PROVISIONER_KEY, ScriptedServer
from .wheels import build, made_once, variables

# Whoever starts the tests in the background lets them ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with contextlib.closing(ScriptedServer()) as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[ScriptedServer]:
    with contextlib.closing(ScriptedServer()) as running:
        yield running


@pytest.fixture
def accounts() -> Accounts:
    """An OpenFunnel where guy@orchestrator.com may create users."""
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])


@pytest.fixture
def api(accounts: Accounts) -> Iterator[str]:
    """Its base URL."""
    with serve(accounts) as base_url:
        yield base_url


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a provider process with a ledger of the test's own; keyword arguments become its environment."""
    with starter(tmp_path / "ledger.db") as start_one:
        yield start_one


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for all tests, each of which has a user of its own there."""
    with contextlib.closing(PostgresServer()) as running:
        yield running


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One for all tests, each of which has a bucket of its own there."""
    with contextlib.closing(S3Server(tmp_path_factory.mktemp("s3"))) as running:
        yield running


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables that let pip find this checkout's wheel, and all that it needs, without a network."""
    return variables(made_once(tmp_path_factory, "wheels", build))
