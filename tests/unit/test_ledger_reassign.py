"""``ledger reassign OLD NEW``: a customer's address changed."""

from __future__ import annotations

import contextlib
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import clean_environment
from pulumi_openfunnel.__main__ import main
from pulumi_openfunnel.commands import ledger_place
from pulumi_openfunnel.errors import AnotherEndUser
from pulumi_openfunnel.ledger.documents import State
from pulumi_openfunnel.ledger.listing import listed
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger_urls import parse
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.settings import Settings
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..ledger_command import WITH_KEY, at, copies, named, refused, rows, run
from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY
from .rules import ALICE, ALSO_ALICE, BOB, NEW_SEAL, OTHER_KEY, SEAL, Machine, answered, asked, body, issued

NEW = "alice@another-startup.com"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def reassign(path: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("reassign", *args, OPENFUNNEL_LEDGER=path, **(environment or WITH_KEY))


@contextlib.contextmanager
def caller(base_url: str, path: Path) -> Iterator[Caller]:
    """Who provisions, as a process of its own would."""
    settings = Settings(
        ORCHESTRATOR, "orchestrator.com", base_url, PROVISIONER_KEY, timeout=20, ledger=parse(str(path))
    )
    with contextlib.closing(Connections()) as connections:
        yield Caller(settings, connections)


def test_a_customers_domain_changes(path: Path) -> None:
    """What the refusal prints is run to the letter; the new address then gets the same key, without a request."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.CONFLICT)
    with serve(accounts) as api:
        with caller(api, path) as first:
            created = provision(first, EndUser(ALICE.email, INTERNAL_EMAIL))
        assert isinstance(created, ProvisionedKey)
        with caller(api, path) as later, pytest.raises(AnotherEndUser) as caught:
            provision(later, EndUser(NEW, INTERNAL_EMAIL))
        (printed,) = re.findall(r"run: python (.*?)\. For another customer", str(caught.value))
        assert printed == f"-m pulumi_openfunnel ledger reassign {ALICE.email} {NEW}"
        done = subprocess.run(
            [sys.executable, *shlex.split(printed)],
            env=clean_environment() | WITH_KEY | {"OPENFUNNEL_LEDGER": str(path)},
            capture_output=True,
            text=True,
            check=True,
        )
        with caller(api, path) as last:
            found = provision(last, EndUser(NEW, INTERNAL_EMAIL))
    assert done.stdout.splitlines() == [
        f"{INTERNAL_EMAIL}: {ALICE.email} became {NEW}; the user and its key stay.",
        f"Declare {NEW} and run pulumi up: a key that is kept here comes without a request.",
    ]
    assert isinstance(found, ProvisionedKey)
    assert (found.api_key == created.api_key, found.recalled) == (True, True)
    assert len(accounts.record.entries) == 1
    assert copies(rows(path), created.api_key, SEAL) == 1


def test_at_no_step_is_there_less_than_one_copy(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """At every call of the store the user's document lists an answer that opens and holds the key."""
    machine, seen = Machine(), 0
    issued(machine.process())
    machine.living.clear()
    path.touch()

    def looks(call: Call) -> None:
        nonlocal seen
        if call.done and call.method in ("put_new", "put_over", "remove"):
            seen += 1
            machine.fails = lambda _call: None
            assert copies(listed(machine.process()).rows, USER_KEY, SEAL) >= 1
            machine.fails = looks

    machine.fails = looks
    monkeypatch.setattr(ledger_place, "ledger_at", lambda _place, **_: machine.process())
    monkeypatch.setenv("OPENFUNNEL_API_KEY", PROVISIONER_KEY)
    assert main(["ledger", "--ledger", str(path), "reassign", ALICE.email, NEW]) == 0
    assert seen == 3  # the copy, the user's document, the answer before
    assert machine.user().email == NEW


def test_every_user_of_the_address_goes_over(path: Path) -> None:
    """Those at other base URLs and with other internal emails; nobody else's. Spelling does not matter."""
    with at(path) as ledger:
        issued(ledger)
        issued(ledger, replace(ALICE, base_url="https://staging.openfunnel.dev"))
        issued(ledger, replace(ALICE, internal_email="al@orchestrator.com"), OTHER_KEY)
        issued(ledger, BOB, "of_bob")
    done = reassign(path, " ALICE@alice-startup.com", "alice@Another-Startup.com ")
    assert done.returncode == 0
    assert done.stdout.count("became alice@another-startup.com; the user and its key stay.") == 3
    assert "al@orchestrator.com: alice@alice-startup.com became" in done.stdout
    assert done.stdout.count('Declare it with prefix="al".') == 1
    assert [row.identity.email for row in rows(path)] == [NEW, NEW, NEW, BOB.email]


def test_an_address_that_has_users_keeps_them(path: Path) -> None:
    """One end user may have several users, each with its own key."""
    with at(path) as ledger:
        issued(ledger)
        issued(ledger, replace(BOB, email=NEW), OTHER_KEY)
    assert reassign(path, ALICE.email, NEW).returncode == 0
    assert [(row.identity.internal_email, row.identity.email) for row in rows(path)] == [
        (INTERNAL_EMAIL, NEW),
        (BOB.internal_email, NEW),
    ]


def test_answers_stay_sealed_as_pulumi_up_opens_them(path: Path) -> None:
    """What is sealed under the provisioner key stays so, also where this shell has the ledger's own key as well."""
    with at(path) as ledger:
        issued(ledger)
    assert reassign(path, ALICE.email, NEW, **WITH_KEY, OPENFUNNEL_LEDGER_KEY="A" * 43 + "=").returncode == 0
    (row,) = rows(path)
    assert row.answer is not None
    assert row.answer.key_id == SEAL.key_id


def test_one_without_a_key_goes_over_as_well(path: Path) -> None:
    """It was asked for, and its answer was lost: the next request is the new address's."""
    with at(path) as ledger:
        asked(ledger)
    assert reassign(path, ALICE.email, NEW).returncode == 0
    with at(path) as ledger:
        assert ledger.begin(ALSO_ALICE) is not None
        assert ledger.user(ALICE.name).email == NEW


@pytest.mark.parametrize(
    ("args", "environment", "told", "status"),
    [
        ((ALICE.email, NEW), {"OPENFUNNEL_LEDGER_KEY": ""}, "No key is set, and what is kept has to be sealed anew", 2),
        (
            (ALICE.email, NEW),
            {"OPENFUNNEL_API_KEY": "of_new"},
            "its key is sealed under a key that is not at hand. Set",
            1,
        ),
        ((ALICE.email, "Alice@Alice-Startup.com"), {}, f"{ALICE.email} and {ALICE.email} are the same address.", 1),
        (("alice", NEW), {}, 'email "alice": not an address.', 1),
        ((ALICE.email, "al ice@a.com"), {}, 'email "al ice@a.com": not an address.', 1),
        ((INTERNAL_EMAIL, NEW), {}, f"{INTERNAL_EMAIL} is an internal email. Give the end user's address, alice@", 1),
        (("nobody@a.com", ALICE.email), {}, "No user in the ledger {} has the address nobody@a.com. Nothing was", 1),
        (("nobody@a.com", ALICE.email), {}, f"{ALICE.email} has {INTERNAL_EMAIL}.", 1),
        (
            ("refused@refused.com", NEW),
            {},
            f"refused@orchestrator.com was refused for refused@refused.com, so {NEW} can",
            1,
        ),
        (("moved@moved.com", NEW), {}, "moved@orchestrator.com was its user and is the one of al@al.com now.", 1),
    ],
)
def test_what_cannot_be_is_one_line(
    path: Path, args: tuple[str, str], environment: dict[str, str], told: str, status: int
) -> None:
    """It says what to do, and nothing is changed."""
    with at(path) as ledger:
        issued(ledger)
        ledger.leave(asked(ledger, named("refused")), lost=False)
        moved = named("moved")
        issued(ledger, moved, OTHER_KEY)
        other = replace(moved, email="al@al.com")
        assert ledger.adopt(other, "of_later", body("of_later", other), NEW_SEAL, moved.email) is None
    before = rows(path)
    assert told.format(path) in refused(reassign(path, *args, **environment), status)
    assert rows(path) == before


def test_a_running_creation_is_waited_for(path: Path) -> None:
    """A user that another run is creating keeps its address."""
    with at(path) as ledger:
        asked(ledger)
        told = refused(reassign(path, ALICE.email, NEW))
    assert told.startswith(f"{INTERNAL_EMAIL}: another run is creating this user. Wait until it ends")
    (row,) = rows(path)
    assert (row.identity, row.attempt.state) == (ALICE, State.OPEN)


def test_a_customer_goes_over_as_a_whole_or_not_at_all(path: Path) -> None:
    """Where one of its users is sealed off, the others stay, too; with the old key all go."""
    with at(path) as ledger:
        issued(ledger)
        al = replace(ALICE, internal_email="al@orchestrator.com")
        mine = asked(ledger, al)
        ledger.answered(mine, body(OTHER_KEY, al), Seal(b"of_old"))
    told = refused(reassign(path, ALICE.email, NEW))
    assert told.startswith("al@orchestrator.com: its key is sealed under a key that is not at hand.")
    assert {row.identity.email for row in rows(path)} == {ALICE.email}
    assert reassign(path, ALICE.email, NEW, **WITH_KEY, OPENFUNNEL_LEDGER_OLD_KEY="of_old").returncode == 0
    assert [(row.identity.email, row.answer.key_id) for row in rows(path) if row.answer] == [(NEW, SEAL.key_id)] * 2


def test_an_answer_that_was_changed_is_told_apart(path: Path) -> None:
    """No key will ever open it."""
    with at(path) as ledger:
        mine = issued(ledger)
        other = ledger.new_answer(mine.attempt, BOB, body(), SEAL)
        ledger.archive.remove(other.name)
        ledger.archive.write(other, None)
    assert "its answer in the ledger was changed after it was sealed" in refused(reassign(path, ALICE.email, NEW))


def test_a_damaged_document_of_somebody_else_is_no_obstacle(path: Path) -> None:
    """Only the users of the address have to be sound."""
    with at(path) as ledger:
        issued(ledger)
        answered(ledger, BOB, OTHER_KEY)
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE documents SET body = 'x' WHERE name = ?", (BOB.name,))
    db.close()
    assert reassign(path, ALICE.email, NEW).returncode == 0


def test_a_ledger_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the way to the one that a stack's config names."""
    told = refused(run("reassign", ALICE.email, NEW, XDG_STATE_HOME=tmp_path, **WITH_KEY))
    assert told.startswith(f"There is no ledger at {tmp_path}/pulumi-openfunnel/ledger.db")
    assert told.endswith('export OPENFUNNEL_LEDGER="$(pulumi config get openfunnel:ledger)".')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--json", "--failed", "--show-keys"])
def test_options_of_the_list_mean_nothing_here(path: Path, option: str) -> None:
    """An action that seems to take them would do something else than what was meant."""
    done = run("--ledger", path, option, "reassign", ALICE.email, NEW, **WITH_KEY)
    assert done.returncode == 2
    assert "options of the list" in done.stderr


@pytest.mark.parametrize("before", [True, False])
def test_the_ledger_is_named_on_either_side(path: Path, before: bool) -> None:
    """``--ledger`` stands before the action or behind it."""
    with at(path) as ledger:
        issued(ledger)
    named_, action = ["--ledger", str(path)], ["reassign", ALICE.email, NEW]
    assert run(*([*named_, *action] if before else [*action, *named_]), **WITH_KEY).returncode == 0
