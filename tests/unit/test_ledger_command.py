"""``python -m pulumi_openfunnel ledger``: the list, as an operator types it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_openfunnel.commands.ledger_entries import Entries
from pulumi_openfunnel.ledger.departures import Leaving
from pulumi_openfunnel.ledger.documents import Identity, answer_name
from pulumi_openfunnel.ledger.moving import copy
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.places import FilePlace

from ..ledger_command import WITH_KEY, at, document, named, refused, rows, run
from ..servers import PROVISIONER_KEY, USER_KEY
from .rules import ALICE, ALSO_ALICE, BOB, OTHER_KEY, SEAL, Machine, answered, asked, body, issued, reassigned

NEW_KEY = "of_provisioner_rotated"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state of things" / "ledger.db"


def _key(who: Identity) -> str:
    return f"of_{who.internal_email.partition('@')[0]}_0123456789"


def _lost(ledger: Ledger, who: Identity) -> None:
    asked(ledger, who)


def _refused(ledger: Ledger, who: Identity) -> None:
    ledger.leave(asked(ledger, who), lost=False, problem="OpenFunnel answered 418. Ask OpenFunnel why.")


def _closed(ledger: Ledger, who: Identity) -> None:
    ledger.leave(asked(ledger, who), lost=False)


def _cut_off(ledger: Ledger, who: Identity) -> None:
    ledger.answered(asked(ledger, who), b'{"id"', SEAL, whole=False)


def _unused(ledger: Ledger, who: Identity) -> None:
    ledger.doubt(answered(ledger, who, _key(who)), "with no JSON object")


def _ready(ledger: Ledger, who: Identity) -> None:
    answered(ledger, who, _key(who))


def _held(ledger: Ledger, who: Identity) -> None:
    issued(ledger, who, _key(who))


def _waits(ledger: Ledger, who: Identity) -> None:
    issued(ledger, who, _key(who))
    ledger.release(Leaving(who.internal_email, who.email, _key(who), body(), revoked=False))


def _dead(ledger: Ledger, who: Identity) -> None:
    ledger.bury(issued(ledger, who, _key(who)), _key(who), "OpenFunnel refused it")


def _missing(ledger: Ledger, who: Identity) -> None:
    ledger.archive.remove(answer_name(issued(ledger, who, _key(who)).attempt))


def _stray(ledger: Ledger, who: Identity) -> None:
    """Its run lapsed, and the answer came after the user was reassigned; then it died."""
    mine = asked(ledger, who)
    ledger.let_go(mine)
    reassigned(ledger, who.email, "al@al.com", SEAL, [SEAL])
    ledger.answered(mine, body(_key(who), who), SEAL)


def _late(ledger: Ledger, who: Identity) -> None:
    """The first answer was lost, and a later one brought the key."""
    mine = asked(ledger, who)
    ledger.leave(mine, lost=True)
    ledger.let_go(mine)
    issued(ledger, who, _key(who))


Make = Callable[[Ledger, Identity], None]

FATES: list[tuple[Make, str, str]] = [
    (_lost, "asked", "Its answer was lost, so the user may exist. Run pulumi up"),
    (_refused, "refused", "Not created: OpenFunnel answered 418. Ask OpenFunnel why."),
    (_closed, "refused", "Nothing was created. Run pulumi up."),
    (_cut_off, "answered", "Only a part of its answer came, so the user may exist. Run pulumi up"),
    (_unused, "answered", "This answer is not used: with no JSON object. Look at it with --show-keys: if it holds"),
    (_stray, "answered", "This answer is not used: it came for eve@eve.com, and the user is al@al.com's now. Look"),
    (_ready, "answered", "Its key is safe here and may not be in the state yet. Run pulumi up: it is handed over."),
    (_held, "issued", "Nothing to do. Should its stack not know the key, pulumi up brings it back from here."),
    (_waits, "released", "It left its stack; the user and its key live on. Declared again, it gets this key."),
    (_dead, "dead", "Its key works no more: OpenFunnel refused it. When the user is needed, get a new key"),
    (
        _missing,
        "asked",
        "Its answer is not in the ledger any more. As long as its stack holds the key, nothing is lost.",
    ),
    (_late, "asked", "Its answer was lost. The user has its key from another request: there is nothing to do."),
]
FAILED = [_lost, _refused, _closed, _cut_off, _unused, _stray]


@pytest.mark.parametrize(("make", "status", "told"), FATES)
def test_the_list_tells_what_to_do(path: Path, make: Make, status: str, told: str) -> None:
    """Who, when, for which orchestrator, with which outcome, what next; no key, and never that it be forgotten."""
    with at(path) as ledger:
        make(ledger, named("eve"))
    done = run(OPENFUNNEL_LEDGER=path)
    first, by, advice = done.stdout.splitlines()[:3]
    assert (done.returncode, done.stderr) == (0, "")
    assert first.startswith(f"eve@eve.com -> eve@orchestrator.com: {status} 20")
    assert by.startswith("    by guy@orchestrator.com at https://api.openfunnel.dev")
    assert advice.startswith(f"    {told}")
    assert _key(named("eve")) not in done.stdout
    assert "forget" not in done.stdout
    assert (make in FAILED) == ("eve@eve.com" in run("--failed", OPENFUNNEL_LEDGER=path).stdout)


def test_entries_are_sorted_and_counted(path: Path) -> None:
    """By internal email; with --failed those alone that failed, of all."""
    with at(path) as ledger:
        issued(ledger)
        asked(ledger, named("zoe"))
        asked(ledger, BOB)
    done = run("--ledger", path)
    assert [line.partition(" ->")[0] for line in done.stdout.splitlines() if "->" in line] == [
        ALICE.email,
        BOB.email,
        "zoe@zoe.com",
    ]
    assert done.stdout.endswith(f"3 entries in {path}.\n")
    assert run("--ledger", path, "--failed").stdout.endswith(f"2 of 3 entries in {path}.\n")


def test_a_user_that_is_being_created_is_told(path: Path) -> None:
    """It is waited for, not repaired; and it is not there yet."""
    with at(path) as ledger:
        asked(ledger)
        assert "    Another run is creating this user. Wait until it ends." in run("--ledger", path).stdout
        (entry,) = document("--ledger", path, "--failed")["entries"]
    assert (entry["in_progress"], entry["failed"], entry["status"]) == (True, True, "asked")


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        (WITH_KEY, f"api_key: {USER_KEY}"),
        ({"OPENFUNNEL_LEDGER_OLD_KEY": PROVISIONER_KEY}, f"api_key: {USER_KEY}"),
        ({"OPENFUNNEL_API_KEY": NEW_KEY}, "(sealed under another key: set OPENFUNNEL_API_KEY"),
        ({}, "(sealed under another key"),
    ],
)
def test_keys_are_shown_to_who_has_the_key(path: Path, environment: dict[str, str], shown: str) -> None:
    """Only when they are asked for."""
    with at(path) as ledger:
        issued(ledger)
    assert f"    {shown}" in run("--ledger", path, "--show-keys", **environment).stdout
    for quiet in (run("--ledger", path, **environment), run("--ledger", path, "--json", **environment)):
        assert USER_KEY not in quiet.stdout + quiet.stderr
        assert "api_key:" not in quiet.stdout
        assert '"api_key"' not in quiet.stdout


def test_an_answer_without_a_usable_key_is_shown_as_it_is(path: Path) -> None:
    """On one line, whatever it holds; the provisioner key is nobody's own."""
    with at(path) as ledger:
        mine = asked(ledger, BOB)
        ledger.answered(mine, b"<html>\n\x1b[31mwelcome", SEAL)
        ledger.doubt(mine, "with no JSON object")
        answered(ledger, ALICE, PROVISIONER_KEY)
    shown = run("--ledger", path, "--show-keys", **WITH_KEY).stdout
    assert r"    answer: <html>\n\x1b[31mwelcome" in shown
    assert 'answer: {"id": 7' in shown
    assert f"api_key: {PROVISIONER_KEY}" not in shown


def test_what_needs_the_old_key_is_told_apart(path: Path) -> None:
    """What comes back by itself from what a rotation has sealed off; without any key at hand nothing is claimed."""
    with at(path) as ledger:
        issued(ledger)
        mine = asked(ledger, BOB)
        ledger.answered(mine, body(OTHER_KEY, BOB), Seal(NEW_KEY.encode()))
    needs = f"With that key, run: python -m pulumi_openfunnel ledger --ledger '{path}' rekey."
    done = run("--ledger", path, OPENFUNNEL_API_KEY=NEW_KEY)
    assert [needs in line for line in done.stdout.splitlines() if line.startswith("    ")] == [
        False,
        True,
        False,
        False,
    ]
    found = document("--ledger", path, OPENFUNNEL_API_KEY=NEW_KEY)["entries"]
    assert [entry["needs_old_key"] for entry in found] == [True, False]
    assert [entry["needs_old_key"] for entry in document("--ledger", path)["entries"]] == [None, None]
    assert needs not in run("--ledger", path).stdout


def test_a_listing_makes_and_changes_nothing(path: Path) -> None:
    """Where there is no ledger, it says so; where there is one, not a byte of it changes."""
    assert run(OPENFUNNEL_LEDGER=path).stdout == f"There is no ledger at {path}: no user was requested with it.\n"
    assert not path.parent.exists()
    with at(path) as ledger:
        issued(ledger)
        asked(ledger, BOB)
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    run(OPENFUNNEL_LEDGER=path)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_ledger_that_is_off_or_not_there_is_a_document_too(path: Path) -> None:
    """A program that reads the JSON need not know English."""
    for found in (document(OPENFUNNEL_LEDGER="off"), document(OPENFUNNEL_LEDGER=path)):
        assert (found["ledger"], found["entries"]) == (None, [])
    assert "The ledger is off" in run(OPENFUNNEL_LEDGER="off").stdout


def test_the_json_has_stable_names(path: Path) -> None:
    """They are a contract; keys stand in it only when they are asked for."""
    with at(path) as ledger:
        issued(ledger)
    found = document("--ledger", path, "--show-keys", **WITH_KEY)
    (entry,) = found.pop("entries")
    assert found == {"format": 1, "ledger": str(path), "moved": None, "damaged": []}
    assert {name: entry[name] for name in ("email", "internal_email", "base_url", "user_id")} == vars(ALICE)
    times = [entry.pop(name) for name in ("created", "changed")]
    assert all(len(time) == 20 and time.endswith("Z") for time in times)
    told = {name: value for name, value in entry.items() if name not in vars(ALICE)}
    assert told == {
        "status": "issued",
        "failed": False,
        "in_progress": False,
        "needs_old_key": False,
        "key_fingerprint": "c7785caa04caacfa",
        "problem": None,
        "next": "Nothing to do. Should its stack not know the key, pulumi up brings it back from here.",
        "api_key": USER_KEY,
        "answer": None,
        "not_shown": None,
    }


def test_a_moved_ledger_is_listed_and_says_where_it_went(path: Path, tmp_path: Path) -> None:
    """Its entries are as they were; what to do is to look there."""
    there = tmp_path / "there.db"
    with at(path) as before:
        issued(before)
        before.owners.end()
        with at(there) as after:
            copy(before, after)
    lines = run("--ledger", path).stdout.splitlines()
    assert lines[0].startswith(f"The ledger {path} was moved to {there}. Set openfunnel:ledger")
    assert lines[1].startswith(f"{ALICE.email} -> ")
    assert lines[3] == f"    This ledger was moved. What is true now, the ledger {there} tells."
    assert document("--ledger", path)["moved"] == {"to": str(there), "done": True}
    assert document("--ledger", there)["moved"] is None


@pytest.mark.parametrize("kind", ["users", "answers", "keys", "moved"])
def test_a_damaged_document_is_one_line_and_hides_nothing_else(path: Path, kind: str) -> None:
    """Also one that a newer version wrote; the exit status says that something is wrong."""
    with at(path) as ledger:
        issued(ledger)
        issued(ledger, BOB, OTHER_KEY)
    db = sqlite3.connect(path)
    (name,) = db.execute("SELECT min(name) FROM documents WHERE name LIKE ?", (f"{kind}/%",)).fetchone()
    with db:
        db.execute("REPLACE INTO documents VALUES (?, 'v', 0, ?)", (name or kind, b'{"format": 2}'))
    db.close()
    done = run("--ledger", path)
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("The ledger ")]
    assert f"holds {name or kind}, which a newer version" in told
    assert done.returncode == 1
    assert done.stdout.count(" -> ") == (1 if kind == "users" else 2)
    assert document("--ledger", path)["damaged"] == [told]


def test_a_ledger_that_is_none_is_one_line(path: Path) -> None:
    """Nothing is deleted."""
    path.parent.mkdir()
    path.write_text("my diary, which is long enough to be no empty file" * 10)
    path.chmod(0o600)
    told = refused(run("--ledger", path))
    assert told.startswith(f"The ledger {path} is no ledger, but another kind of file. Keep the file")


def test_a_relative_path_is_meant_from_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a command line, unlike in a setting that several programs read."""
    with at(path) as ledger:
        issued(ledger)
    monkeypatch.chdir(path.parent.parent)
    assert run("--ledger", f"{path.parent.name}/ledger.db").stdout.endswith(f"1 entry in {path}.\n")


def test_memory_stays_flat() -> None:
    """Users are read some at a time: the first entry is there before most of the answers are read."""
    machine = Machine()
    process = machine.process()
    for number in range(450):
        answered(process, named(f"user{number:03}"))
    machine.counted()
    entries = Entries(process, FilePlace(Path("/ledger.db")), [SEAL])
    first = next(iter(entries))
    assert first.row.identity == named("user000")
    assert sum(len(call.names) for call in machine.calls if call.names[0].startswith("answers/")) == 200


def test_the_list_is_that_of_the_ledgers_own_rules(path: Path, tmp_path: Path) -> None:
    """What the command tells of an attempt's status is what the ledger's listing tells."""
    with at(path) as ledger:
        for number, (make, _, _) in enumerate(FATES):
            if make is not _stray:  # which the listing takes for one of the user's own
                make(ledger, named(f"user{number}"))
        issued(ledger, ALSO_ALICE, OTHER_KEY)
    other = shutil.copy(path, tmp_path / "copy.db")
    told = [(entry["internal_email"], entry["status"]) for entry in document("--ledger", other)["entries"]]
    assert told == [(row.identity.internal_email, row.status.value) for row in rows(path)]
    assert json.dumps(told).count("user") == len(FATES)
