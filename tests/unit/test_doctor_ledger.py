"""``doctor``: the ledger, wherever it lies, and the state beside it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from harness.servers.postgres import PostgresServer
from harness.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..doctor_command import PASSWORD, Doctor, Seen, provisioner
from ..ledger_command import at, rows, run
from ..servers import ORCHESTRATOR
from .rules import BOB, OTHER_KEY, answered, issued

READER, SECRET = "AKIATESTOFREADER", "secret/of+the/reader"


def _sees(well: Doctor, api: str, ledger: object, **environment: object) -> Seen:
    well.cli(config=provisioner(baseUrl=api, ledger=str(ledger)))
    well.setenv(**environment)
    return well.sees()


def test_a_ledger_in_use(well: Doctor, path: Path) -> None:
    """It is written, read and cleared by trying; its entries are counted, and are as they were."""
    with at(path) as ledger:
        issued(ledger)
        answered(ledger, BOB, OTHER_KEY)
    before = rows(path)
    seen = well.sees()
    assert (seen.status, seen.about("ledger")) == (0, [f"ok {path} can be read, written, listed and cleared"])
    assert seen.about("ledger entries") == ["ok 2, 2 of them with a sealed answer"]
    with at(path) as ledger:
        assert ledger.archive.store.names("doctor/") == []
    assert rows(path) == before


def test_entries_under_a_retired_key(well: Doctor, path: Path) -> None:
    """They are counted, and the way to seal them anew is told."""
    with at(path) as ledger:
        issued(ledger)
    with serve(Accounts([Account(ORCHESTRATOR, "of_rotated")])) as api:
        config = provisioner(baseUrl=api, ledger=str(path))
        well.cli(config=config | {"openfunnel:apiKey": {"value": "of_rotated", "secret": True}})
        assert well.sees().to_mend() == (
            "ledger entries: 1 are sealed under a key that is not at hand. With the old key, run: "
            "python -m pulumi_openfunnel ledger rekey."
        )


def test_a_ledger_that_is_off(well: Doctor, api: str) -> None:
    """What is lost without one."""
    told = _sees(well, api, "off").to_mend()
    assert told.startswith(
        "ledger: is off: a key whose answer is lost on its way into the state is lost for good. Run: "
    )


def test_a_file_in_the_place_of_the_directory(well: Doctor, api: str, tmp_path: Path) -> None:
    """Where the ledger could not be made, another place is to be named; nothing is made."""
    (tmp_path / "file").touch()
    told = _sees(well, api, tmp_path / "file" / "ledger.db").to_mend()
    assert f"cannot be made: {tmp_path / 'file'} is not a directory that can be written. Name another file: " in told


@pytest.mark.parametrize(
    "body", [b"no ledger at all, but a letter to nobody\n" * 40, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_a_damaged_file(well: Doctor, path: Path, body: bytes) -> None:
    """It is to be kept, and is left as it is."""
    path.write_bytes(body)
    assert (
        "Keep the file, which may hold the only copy of a key; restore it from a backup, or name"
        in well.sees().to_mend()
    )
    assert path.read_bytes() == body


def test_a_damaged_document(well: Doctor, path: Path) -> None:
    """All others are counted, and the one is named."""
    with at(path) as ledger:
        issued(ledger)
        ledger.archive.store.put_new("users/x", b"x")
    assert "users/x" in well.sees().to_mend()


def test_a_ledger_that_was_copied_away(well: Doctor, path: Path, tmp_path: Path) -> None:
    """Where it went is told; the copy is well."""
    with at(path) as ledger:
        issued(ledger)
    assert run("copy", path, tmp_path / "moved.db").returncode == 0
    assert f"ledger: The ledger {path} was moved to {tmp_path / 'moved.db'}" in well.sees().to_mend()


NOBODY = """
import pwd

def getpwuid(_uid):
    raise KeyError("uid not found")

pwd.getpwuid = getpwuid
"""
"""A machine that does not know its user, as in a container with a user id of its own."""


def test_no_home(well: Doctor, api: str, tmp_path: Path) -> None:
    """Where there is no home directory, the ledger's place must be named; else nothing is amiss."""
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    assert well.sees(HOME=None, PYTHONPATH=tmp_path).status == 0
    well.cli(config=provisioner(baseUrl=api))
    seen = well.sees()
    assert seen.to_mend().startswith(
        "openfunnel:ledger: openfunnel:ledger is not set, and this user has no home directory. "
    )
    assert seen.about("provisioner key")[0].startswith("ok ")


BACKENDS = [
    (
        "s3://my-state?region=eu-central-1",
        "Set OPENFUNNEL_LEDGER to 's3://my-state/openfunnel-ledger?region=eu-central-1'.",
    ),
    ("gs://my-state/of", "Set OPENFUNNEL_LEDGER to gs://my-state/of/openfunnel-ledger."),
    (f"postgres://guy:{PASSWORD}@db/state", 'Set OPENFUNNEL_LEDGER to "$PULUMI_BACKEND_URL".'),
    ("https://api.pulumi.com", "Set OPENFUNNEL_LEDGER to a bucket, to PostgreSQL, or to a file that lasts."),
]


@pytest.mark.parametrize(("backend", "told"), BACKENDS)
def test_the_default_place_in_ci(well: Doctor, api: str, tmp_path: Path, backend: str, told: str) -> None:
    """It goes with the runner: the place beside the state is named, without a password."""
    well.cli(config=provisioner(baseUrl=api))
    line = well.sees(CI="true", PULUMI_BACKEND_URL=backend).to_mend()
    assert line.startswith(f"ledger: is at its default place, {tmp_path}")
    assert line.endswith(f", which is deleted with a CI runner. {told}")


@pytest.mark.parametrize(("module", "url"), [("obstore", "s3://my-state/x"), ("psycopg", "postgres://127.0.0.1:1/db")])
def test_an_extra_that_is_not_installed(well: Doctor, api: str, tmp_path: Path, module: str, url: str) -> None:
    """What to install is told."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / f"{module}.py").write_text("raise ImportError\n")
    told = _sees(well, api, url, PYTHONPATH=tmp_path / "without").to_mend()
    assert 'needs the extra "' in told
    assert "Run: pip install 'pulumi-openfunnel[" in told


def test_postgres_that_is_down(well: Doctor, api: str) -> None:
    """The place is named, without the password."""
    well.cli(config=provisioner(baseUrl=api))
    told = well.sees(OPENFUNNEL_LEDGER=f"postgres://guy:{PASSWORD}@127.0.0.1:1/db").to_mend()
    assert told.startswith("ledger: The ledger postgres://127.0.0.1:1/db ")


def test_postgres_before_the_first_update(well: Doctor, api: str, postgres_server: PostgresServer) -> None:
    """A table that is not there yet is none that is broken, and the look makes none; then it can be used."""
    url = postgres_server.url(postgres_server.user())
    well.cli(config=provisioner(baseUrl=api))
    seen = well.sees(OPENFUNNEL_LEDGER=url)
    assert seen.about("ledger")[0].endswith(" is not there yet; the first pulumi up makes it")
    with at(url) as ledger:
        issued(ledger)
    seen = well.sees()
    assert (seen.status, seen.about("ledger entries")) == (0, ["ok 1, 1 of them with a sealed answer"])


def test_a_bucket(well: Doctor, api: str, s3_server: S3Server) -> None:
    """One that is there can be used, and is left empty; one that is not is told as that."""
    well.setenv(**s3_server.environment)
    bucket = s3_server.bucket()
    seen = _sees(well, api, s3_server.url(bucket))
    assert (seen.status, seen.about("ledger")[0].endswith("can be read, written, listed and cleared")) == (0, True)
    assert s3_server.files(bucket) == []
    assert "there is no such bucket" in _sees(well, api, s3_server.url("no-such-bucket")).to_mend()


def test_a_bucket_without_permissions(well: Doctor, api: str, s3_server: S3Server) -> None:
    """Reading is not enough: what was refused is named."""
    with contextlib.suppress(Exception):  # there is one from a test before
        s3_server.user(READER, SECRET)
    bucket = s3_server.bucket()
    s3_server.allow(bucket, READER, "s3:GetObject", "s3:ListBucket")
    well.setenv(AWS_ACCESS_KEY_ID=READER, AWS_SECRET_ACCESS_KEY=SECRET)
    told = _sees(well, api, s3_server.url(bucket)).to_mend()
    assert "s3:PutObject" in told
    assert all(secret not in told for secret in (READER, SECRET, ACCESS_KEY, SECRET_KEY))
