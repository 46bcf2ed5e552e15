"""``ledger rekey``: sealed anew after a rotation."""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from harness import clean_environment
from pulumi_openfunnel.ledger.sealing import seals

from ..ledger_command import COMMAND, WITH_KEY, at, named, refused, run
from ..servers import PROVISIONER_KEY, USER_KEY
from .rules import BOB, OTHER_KEY, answered, asked, body, issued

NEW_KEY = "of_provisioner_rotated"
OWN_KEY = base64.b64encode(bytes(range(32))).decode()
ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def rekey(path: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return run("rekey", stdin=stdin, OPENFUNNEL_LEDGER=path, **environment)


def shown(path: Path, **environment: str) -> str:
    return run("--show-keys", OPENFUNNEL_LEDGER=path, **environment).stdout


@pytest.mark.parametrize("to_own_key", [False, True])
@pytest.mark.parametrize("by_variable", [False, True])
def test_rekey_seals_under_the_new_key(path: Path, to_own_key: bool, by_variable: bool) -> None:
    """The old key comes from a variable or is typed; the new one is the ledger's own, else the provisioner key."""
    with at(path) as ledger:
        issued(ledger)
    new = {"OPENFUNNEL_LEDGER_KEY": OWN_KEY} if to_own_key else {"OPENFUNNEL_API_KEY": NEW_KEY}
    old = {"OPENFUNNEL_LEDGER_OLD_KEY": PROVISIONER_KEY} if by_variable else {}
    done = rekey(path, "" if by_variable else f"{PROVISIONER_KEY}\n", **new, **old)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 sealed anew.\n", "")
    assert f"api_key: {USER_KEY}" in shown(path, **new)
    assert "(sealed under another key" in shown(path, **WITH_KEY)


def test_rekey_from_the_ledgers_own_key(path: Path) -> None:
    """Base64 of 32 bytes is taken for what it is."""
    with at(path) as ledger:
        mine = asked(ledger)
        ledger.answered(mine, body(), seals(bytes(range(32)), None)[0])
    done = rekey(path, OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY=OWN_KEY)
    assert (done.returncode, done.stdout) == (0, "1 sealed anew.\n")


def test_no_key_is_asked_for_that_is_at_hand(path: Path) -> None:
    """From the provisioner key to a key of the ledger's own: both are set, so that nothing is typed. Again: nothing to do."""
    with at(path) as ledger:
        issued(ledger)
    keys = {**WITH_KEY, "OPENFUNNEL_LEDGER_KEY": OWN_KEY}
    assert rekey(path, **keys).stdout == "1 sealed anew.\n"
    assert rekey(path, **keys).stdout == "0 sealed anew.\n"


@pytest.mark.parametrize("old", ["of_wrong", ""])
def test_a_wrong_old_key_changes_nothing(path: Path, old: str) -> None:
    """It is told how many did not open, and how to see which."""
    with at(path) as ledger:
        issued(ledger)
    done = rekey(path, old, OPENFUNNEL_API_KEY=NEW_KEY)
    assert (done.returncode, done.stdout) == (1, "0 sealed anew, 1 did not open with the old key.\n")
    assert "what to do about them: python -m pulumi_openfunnel ledger." in done.stderr
    assert f"api_key: {USER_KEY}" in shown(path, **WITH_KEY)


def test_without_a_new_key_it_says_how_one_is_set(path: Path) -> None:
    """No key is ever an argument."""
    with at(path) as ledger:
        issued(ledger)
    told = refused(rekey(path), 2)
    assert told.startswith("There is no key to seal under. Set OPENFUNNEL_LEDGER_KEY, or OPENFUNNEL_API_KEY")
    told = refused(rekey(path, OPENFUNNEL_LEDGER_KEY="not base64"))
    assert told.startswith("OPENFUNNEL_LEDGER_KEY is not 32 bytes in base64.")


def test_a_user_that_is_being_created_is_left(path: Path) -> None:
    """Its answers are sealed anew when the other run has ended."""
    with at(path) as ledger:
        ledger.bury(issued(ledger), USER_KEY, "OpenFunnel refused it")
        mine = asked(ledger)
        answered(ledger, BOB, OTHER_KEY)
        done = rekey(path, OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY=PROVISIONER_KEY)
        ledger.let_go(mine)
    told = "1 sealed anew, 1 left as they are, because another run is creating these users.\n"
    assert (done.returncode, done.stdout) == (1, told)
    assert "run the same command again" in done.stderr


@pytest.mark.parametrize("kind", ["users", "answers"])
def test_a_damaged_document_stops_no_other(path: Path, kind: str) -> None:
    """All that can be read is sealed anew, and the other is told."""
    with at(path) as ledger:
        for name in ("a", "b", "c", "d"):
            issued(ledger, named(name), f"of_{name}")
    db = sqlite3.connect(path)
    (name,) = db.execute("SELECT min(name) FROM documents WHERE name LIKE ?", (f"{kind}/%",)).fetchone()
    with db:
        db.execute("UPDATE documents SET body = 'x' WHERE name = ?", (name,))
    db.close()
    done = rekey(path, OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY=PROVISIONER_KEY)
    counted, damaged = done.stdout.splitlines()
    assert (done.returncode, counted) == (1, "3 sealed anew.")
    assert f"holds a damaged document, {name}" in damaged
    assert shown(path, OPENFUNNEL_API_KEY=NEW_KEY).count("api_key: of_") == 3


def test_ctrl_c_at_the_question_is_a_clean_end(path: Path) -> None:
    """One line, no traceback, nothing changed; what is typed is not shown."""
    with at(path) as ledger:
        issued(ledger)
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *COMMAND, "rekey"],
        env=clean_environment() | {"OPENFUNNEL_LEDGER": str(path), "OPENFUNNEL_API_KEY": NEW_KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = b""
        while b"OLD_KEY): " not in said:
            said += os.read(process.stdout.fileno(), 1000)
        process.stdin.write(b"of_secret\x03")
        process.stdin.flush()
        said += process.stdout.read()
        assert process.wait(30) == 130
    assert said.endswith(b"Interrupted. Nothing is lost: what was begun is done when the same command runs again.\r\n")
    assert b"of_secret" not in said
    assert b"Traceback" not in said
    assert f"api_key: {USER_KEY}" in shown(path, **WITH_KEY)


def test_an_interruption_at_work_is_a_clean_end(path: Path) -> None:
    """Wherever it comes, the same command again does the rest."""
    with at(path) as ledger:
        for number in range(60):
            issued(ledger, named(f"user{number}"), f"of_{number}")
    environment = clean_environment() | {"OPENFUNNEL_LEDGER": str(path), "OPENFUNNEL_API_KEY": NEW_KEY}
    process = subprocess.Popen(
        [*COMMAND, "rekey"],
        env=environment | {"OPENFUNNEL_LEDGER_OLD_KEY": PROVISIONER_KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    db = sqlite3.connect(path)
    count = "SELECT count(*) FROM documents WHERE name LIKE 'answers/%' AND CAST(body AS TEXT) NOT LIKE ?"
    old = f'%"key_id":"{seals(None, PROVISIONER_KEY)[0].key_id}"%'
    while process.poll() is None and not db.execute(count, (old,)).fetchone()[0]:
        pass
    db.close()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert process.returncode in (0, 130)
    rekey(path, OPENFUNNEL_API_KEY=NEW_KEY, OPENFUNNEL_LEDGER_OLD_KEY=PROVISIONER_KEY)
    assert shown(path, OPENFUNNEL_API_KEY=NEW_KEY).count("api_key: of_") == 60
