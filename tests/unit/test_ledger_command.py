"""``python -m pulumi_openfunnel ledger``, as an operator types it."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import clean_environment
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Status
from pulumi_openfunnel.ledger.sealing import Seal, seals

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY

ALICE = Identity("https://api.openfunnel.dev", ORCHESTRATOR, INTERNAL_EMAIL, "alice@alice-startup.com")
BOB = Identity("https://api.openfunnel.dev", ORCHESTRATOR, "bob@orchestrator.com", "bob@bobs-bikes.com")
ANSWER = f'{{"id": 7, "email": "{INTERNAL_EMAIL}", "api_key": "{USER_KEY}"}}'.encode()
SEAL = Seal(PROVISIONER_KEY.encode())
NEW_KEY = "of_provisioner_rotated"
OWN_KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state of things" / "ledger.db"


def fill(path: Path, status: Status = Status.ISSUED, seal: Seal = SEAL) -> None:
    """A ledger that knows alice, whose key came, and bob, who was asked for without an answer."""
    with contextlib.closing(Ledger(path)) as ledger:
        row, _ = ledger.begin(ALICE)
        ledger.answered(row, seal.seal(ANSWER, ALICE.bound), seal.key_id)
        if status is not Status.ANSWERED:
            ledger.issued(row, "c7785caa04caacfa")
        if status is Status.RELEASED:
            ledger.released(ALICE.internal_email, ALICE.email, "c7785caa04caacfa", Status.RELEASED)
        ledger.begin(BOB)


def run(path: Path, *args: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pulumi_openfunnel", "ledger", *args],
        env=clean_environment() | {"OPENFUNNEL_LEDGER": str(path)} | environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_list_tells_what_to_do(path: Path) -> None:
    """Who, when, which orchestrator, which status, what next; and no key."""
    fill(path, Status.ANSWERED)
    done = run(path)
    assert done.returncode == 0
    assert "alice@alice-startup.com -> alice@orchestrator.com: answered 20" in done.stdout
    assert "by guy@orchestrator.com at https://api.openfunnel.dev" in done.stdout
    assert "Its key is safe here and may not be in the state yet. Run pulumi up" in done.stdout
    assert "bob@bobs-bikes.com -> bob@orchestrator.com: asked 20" in done.stdout
    assert "Its answer was lost, so the user may exist. Run pulumi up" in done.stdout
    assert done.stdout.endswith(f"2 entries in {path}.\n")
    assert USER_KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"OPENFUNNEL_API_KEY": PROVISIONER_KEY}, f"api_key: {USER_KEY}"),
        ({"OPENFUNNEL_API_KEY": NEW_KEY}, "(sealed under another key"),
        ({}, "(sealed under another key"),
    ],
)
def test_keys_are_shown_to_who_has_the_key(path: Path, environment: dict[str, str], shown: str) -> None:
    """Only when they are asked for."""
    fill(path)
    assert shown in run(path, "--show-keys", **environment).stdout
    assert USER_KEY not in run(path, **environment).stdout


def test_a_listing_makes_and_changes_nothing(path: Path) -> None:
    """Where there is no ledger, it says so; where there is one, not a byte of it changes."""
    assert "There is no ledger at" in run(path).stdout
    assert not path.parent.exists()
    fill(path)
    before = path.read_bytes()
    run(path)
    assert path.read_bytes() == before
    assert "The ledger is off" in run(Path("off")).stdout


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (["alice@alice-startup.com"], [BOB]),
        ([" Bob@orchestrator.com"], [ALICE]),
        (["--released"], [BOB]),
        (["--older-than", "1"], [ALICE, BOB]),
        (["--older-than", "0"], []),
        (["bob@bobs-bikes.com", "--released"], [ALICE, BOB]),
    ],
)
def test_forget_removes_what_was_meant(path: Path, args: list[str], left: list[Identity]) -> None:
    """By either address, or by what is true of an entry; what is sealed in it is gone from the file."""
    fill(path, Status.RELEASED)
    done = run(path, "forget", *args)
    with contextlib.closing(Ledger(path)) as ledger:
        assert [row.identity for row in ledger.rows()] == left
    assert done.returncode == (0 if len(left) < 2 else 1)
    assert done.stdout.count("forgotten.") == 2 - len(left)


def test_forget_wants_to_know_what(path: Path) -> None:
    """Without a word nothing is removed."""
    fill(path)
    assert run(path, "forget").returncode == 2


def test_what_is_asked_for_right_now_is_not_forgotten(path: Path) -> None:
    """The run that asks would write into nothing."""
    with contextlib.closing(Ledger(path)) as ledger:
        ledger.begin(ALICE)
        assert "asking for it right now" in run(path).stdout
        done = run(path, "forget", ALICE.email)
        assert (done.returncode, "not forgotten" in done.stdout) == (1, True)
        assert len(ledger.rows()) == 1


@pytest.mark.parametrize("to_own_key", [False, True])
@pytest.mark.parametrize("by_variable", [False, True])
def test_rekey_seals_under_the_new_key(path: Path, to_own_key: bool, by_variable: bool) -> None:
    """The old key comes from a variable or is typed; the new one is the ledger's own, else the provisioner key."""
    fill(path)
    new = {"OPENFUNNEL_LEDGER_KEY": OWN_KEY} if to_own_key else {"OPENFUNNEL_API_KEY": NEW_KEY}
    old = {"OPENFUNNEL_LEDGER_OLD_KEY": PROVISIONER_KEY} if by_variable else {}
    done = run(path, "rekey", stdin="" if by_variable else f"{PROVISIONER_KEY}\n", **new, **old)
    assert (done.returncode, done.stdout) == (0, "1 sealed anew.\n")
    assert f"api_key: {USER_KEY}" in run(path, "--show-keys", **new).stdout
    assert "(sealed under another key" in run(path, "--show-keys", OPENFUNNEL_API_KEY=PROVISIONER_KEY).stdout


def test_rekey_from_the_ledgers_own_key(path: Path) -> None:
    """Base64 of 32 bytes is taken for what it is."""
    fill(path, seal=seals(bytes(range(32)), None)[0])
    done = run(path, "rekey", OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY=OWN_KEY)
    assert (done.returncode, done.stdout) == (0, "1 sealed anew.\n")


def test_a_wrong_old_key_changes_nothing(path: Path) -> None:
    """And says how many did not open."""
    fill(path)
    done = run(path, "rekey", OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY="of_wrong")
    assert (done.returncode, done.stdout) == (1, "0 sealed anew, 1 did not open with the old key.\n")
    assert f"api_key: {USER_KEY}" in run(path, "--show-keys", OPENFUNNEL_API_KEY=PROVISIONER_KEY).stdout


def test_a_ledger_that_is_none_is_one_line(path: Path) -> None:
    """No traceback, and nothing is deleted."""
    path.parent.mkdir()
    path.write_text("my diary, which is long enough to be no empty file" * 10)
    os.chmod(path, 0o600)  # noqa: PTH101
    done = run(path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"The ledger {path} is no ledger, but another kind of file. Keep the file")
