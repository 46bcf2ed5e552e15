"""``ledger forget``: entries are removed for good, and never the only copy of a live key by the way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import Identity

from ..ledger_command import at, named, refused, rows, run
from ..servers import USER_KEY
from .rules import ALICE, BOB, OTHER_KEY, answered, asked, body, issued

DEAD = named("dead")
FINGERPRINT = "c7785caa04caacfa"
ALL = [ALICE, BOB, DEAD]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger that knows alice, who left her stack, bob, whose answer was lost, and one whose key works no more."""
    made = tmp_path / "ledger.db"
    with at(made) as ledger:
        issued(ledger)
        ledger.release(Leaving(ALICE.internal_email, ALICE.email, USER_KEY, body(), revoked=False))
        asked(ledger, BOB)
        ledger.bury(issued(ledger, DEAD, OTHER_KEY), OTHER_KEY, "OpenFunnel refused it")
    return made


def forget(path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run("forget", *args, OPENFUNNEL_LEDGER=path)


def left(path: Path) -> list[Identity]:
    return [row.identity for row in rows(path)]


@pytest.mark.parametrize(
    ("args", "stay"),
    [
        ([DEAD.email], [ALICE, BOB]),
        ([" Bob@orchestrator.com"], [ALICE, DEAD]),
        (["BOB@bob.com", DEAD.internal_email], [ALICE]),
        ([DEAD.email, "--released"], [ALICE, BOB]),
        ([ALICE.email, "--lose-keys"], [BOB, DEAD]),
        (["--released", "--lose-keys"], [BOB]),
        (["--older-than", "0", "--lose-keys"], []),
    ],
)
def test_what_is_meant_is_forgotten(path: Path, args: list[str], stay: list[Identity]) -> None:
    """By either address, or by what is true of an entry; each is printed, and what was sealed is gone from the file."""
    done = forget(path, *args)
    assert left(path) == stay
    assert (done.returncode, done.stderr, done.stdout.count(": forgotten")) == (0, "", 3 - len(stay))


@pytest.mark.parametrize(
    ("args", "unknown"),
    [
        (["nobody@a.com"], " nobody@a.com"),
        (["nobody@a.com", "bob@bob.com", "also@a.com", "--older-than", "1"], " also@a.com, bob@bob.com, nobody@a.com"),
        (["--older-than", "1"], ""),
        (["bob@bob.com", "--released"], " bob@bob.com"),
    ],
)
def test_what_matches_nothing_is_told(path: Path, args: list[str], unknown: str) -> None:
    """It may be a slip."""
    assert refused(forget(path, *args)) == f"No ledger entry matches{unknown}."
    assert left(path) == ALL


@pytest.mark.parametrize("args", [[ALICE.email], ["--released"], ["--older-than", "0"], [ALICE.email, DEAD.email]])
def test_a_live_key_is_not_lost_by_the_way(path: Path, args: list[str]) -> None:
    """Which key would be lost is told, and first of all what is the way instead; the rest is forgotten."""
    done = forget(path, *args)
    (line,) = [line for line in done.stdout.splitlines() if "not forgotten" in line]
    assert done.returncode == 1
    assert line.startswith(f"{ALICE.email} -> {ALICE.internal_email}: released 20")
    assert line.endswith(f"not forgotten, because its key {FINGERPRINT} may be the only copy of a key that works.")
    assert done.stderr.startswith("1 not forgotten. For the same customer under another address, run: python -m ")
    assert "reassign OLD NEW; under another resource name or id, set aliases. To destroy" in done.stderr
    assert done.stderr.endswith("add --lose-keys.\n")
    assert ALICE in left(path)


def test_what_is_destroyed_is_told(path: Path) -> None:
    """With the key's fingerprint; and an answer that nobody has looked at may be a key as well."""
    with at(path) as ledger:
        answered(ledger, named("eve"), "of_eve")
    assert "not forgotten, because its answer may be the only copy" in forget(path, "eve@eve.com").stdout
    assert forget(path, ALICE.email, "--lose-keys").stdout.endswith(f": forgotten, with its key {FINGERPRINT}.\n")
    assert forget(path, "eve@eve.com", "--lose-keys").stdout.endswith(": forgotten, with its answer.\n")
    assert USER_KEY.encode() not in path.read_bytes()


def test_what_is_being_created_is_not_forgotten(path: Path) -> None:
    """The run that asks would write into nothing."""
    eve = named("eve")
    with at(path) as ledger:
        asked(ledger, eve)
        done = forget(path, eve.email, "--lose-keys")
        assert done.stdout.endswith("not forgotten, because another run is creating this user.\n")
        assert done.returncode == 1
        assert eve in left(path)


@pytest.mark.parametrize(
    "args", [[], ["--lose-keys"], ["--older-than", "-1"], ["--older-than", "nan"], ["--older-than", "soon"], ["--lose"]]
)
def test_it_wants_to_know_what(path: Path, args: list[str]) -> None:
    """Without a word, or with a wrong one, nothing is removed; no option is abbreviated by which keys are lost."""
    done = forget(path, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert left(path) == ALL
