"""What runners need: a virtual environment, a program, and a place for state and ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import need
from harness.servers.postgres import PostgresServer
from harness.servers.s3 import S3Server
from pulumi_openfunnel.simulator import Account, Accounts

from ..servers import ORCHESTRATOR
from ..wheels import made_once
from .owner import PROVISIONER_KEY, NewOwner, Owner, program_in
from .places import Bucket, Database
from .runner import Runner
from .workflows import github


@pytest.fixture
def accounts() -> Accounts:
    """An OpenFunnel where guy@orchestrator.com may create users, with a key that nothing else contains."""
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, index: Mapping[str, str]) -> Path:
    """The virtual environment that the step "Install" made, for the jobs of all tests."""
    need("test")

    def install(directory: Path) -> None:
        program = directory / "program"
        program_in(program)
        Runner(directory / "runner", program, github("up", {}, {}, "Install"), index).run("Install")

    return made_once(tmp_path_factory, "environment", install) / "runner" / "workspace" / "venv"


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket.made(s3_server)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Database:
    return Database.made(postgres_server)


@pytest.fixture
def new_owner(tmp_path: Path) -> NewOwner:
    """Makes the stack in a place, with its customers declared."""
    need("test")
    return lambda place: Owner(tmp_path / "owner", place)
