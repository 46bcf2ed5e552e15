"""What runners need: wheels to install from, a program, and a place for state and ledger."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness import need
from harness.servers import s3
from harness.servers.postgres import PostgresServer
from pulumi_openfunnel.simulator import Account, Accounts

from ..servers import ORCHESTRATOR
from .owner import PROVISIONER_KEY, NewOwner, Owner
from .places import Bucket, Database
from .workflows import ROOT


@pytest.fixture
def accounts() -> Accounts:
    """An OpenFunnel where guy@orchestrator.com may create users, with a key that nothing else contains."""
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with this checkout's wheel and all that it needs, as the package index has them once it is released."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    base = tmp_path_factory.getbasetemp()
    directory = base.parent / f"wheels-{run}" if run else base / "wheels"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:  # workers share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "whole").exists():
            pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "-w", str(directory)]
            options = ["--constraint", str(ROOT / "constraints.txt"), "--no-build-isolation"]
            subprocess.run(
                [*pip, *options, f"{ROOT}[objects,postgres]", "pip", "setuptools", "wheel"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            (directory / "whole").touch()
    return directory


@pytest.fixture(scope="session")
def index(wheels: Path) -> dict[str, str]:
    """The variables that let pip take those wheels, and ask nobody."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, index: Mapping[str, str]) -> Path:
    """A virtual environment as ``pulumi install`` makes it, for jobs that are about something else."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "pulumi-openfunnel[objects,postgres]"]
    subprocess.run(install, check=True, env={**os.environ, **index})
    return venv


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    with contextlib.closing(s3.S3Server(tmp_path_factory.mktemp("s3"))) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with contextlib.closing(PostgresServer()) as server:
        yield server


@pytest.fixture
def bucket(s3_server: s3.S3Server) -> Bucket:
    return Bucket.made(s3_server)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Database:
    return Database.made(postgres_server)


@pytest.fixture
def new_owner(tmp_path: Path) -> NewOwner:
    """Makes the stack in a place, with its customers declared."""
    need("test")
    return lambda place: Owner(tmp_path / "owner", place)
