"""Keys that come back: a second provision over a ledger, after whatever happened to the first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnswerNotBelieved, KeySealed, UserExists
from pulumi_openfunnel.ledger.ledger import Identity, Status
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.provisioning import connections as shared
from pulumi_openfunnel.provisioning.create import EndUser, provision
from pulumi_openfunnel.provisioning.verify import fingerprint
from pulumi_openfunnel.settings import Settings
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import (
    INTERNAL_EMAIL,
    ORCHESTRATOR,
    PROVISIONER_KEY,
    USER_KEY,
    ScriptedServer,
    answer,
)
from .provisions import (
    ALICE,
    CREDITS,
    LEDGER_KEY,
    NEW_KEY,
    Console,
    another_process,
    created,
    creates,
    failure,
    rows,
    scripted,
    settings_for,
)


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    yield
    another_process()
    for client in shared._clients.values():
        client.close()
    shared._clients.clear()
    shared._paces.clear()


def _identity(settings: Settings) -> Identity:
    return Identity(settings.base_url, settings.user_id, ALICE.internal_email, ALICE.email)


def _crashed_after(settings: Settings, path: Path, body: bytes) -> None:
    """What a process leaves that was killed after it kept this answer."""
    ledger, seal = shared.ledger_at(path), Seal(PROVISIONER_KEY.encode())
    row, _ = ledger.begin(_identity(settings))
    ledger.answered(row, seal.seal(body, row.identity.bound), seal.key_id)
    another_process()


@pytest.mark.parametrize("existing", Existing)
def test_the_same_key_comes_back(existing: Existing, path: Path, console: Console) -> None:
    """A second provision gives the same user and key without a request, whatever OpenFunnel would have answered."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=existing)
    with serve(accounts) as base_url:
        first = provision(settings_for(base_url, path), ALICE)
        another_process()
        second = provision(settings_for(base_url, path), ALICE, console.operation)
    assert (second.id, second.api_key) == (first.id, first.api_key)
    assert len(accounts.record.entries) == 1
    (info,) = console.infos
    assert info.startswith(f"{INTERNAL_EMAIL}: its key came from the ledger ({first.fingerprint})")
    assert first.api_key not in info
    assert console.warnings == []


def test_without_a_ledger_it_works(accounts: Accounts, api: str, tmp_path: Path) -> None:
    """With the ledger off, users are created, nothing is kept, and a second time the user exists."""
    provisioned = provision(settings_for(api, None), ALICE)
    assert [user.api_key for user in accounts.users] == [provisioned.api_key]
    assert "exists already" in failure(settings_for(api, None), UserExists)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_was_kept_before_a_crash_is_used(server: ScriptedServer, path: Path) -> None:
    """A process that died between the answer and its being looked at loses nothing: no request is made."""
    scripted(server, answer(500))
    settings = settings_for(server.base_url, path)
    _crashed_after(settings, path, b'{"id": 7, "email": "alice@orchestrator.com", "api_key": "of_alice_0123456789"}')
    assert provision(settings, ALICE).api_key == USER_KEY
    assert creates(server) == 0
    (row,) = rows(path)
    assert (row.status, row.fingerprint, row.asking) == (Status.ISSUED, fingerprint(USER_KEY), False)


def test_a_kept_answer_that_proves_nothing_is_not_used(server: ScriptedServer, path: Path) -> None:
    """A crash between an answer and its being looked at does not make it believed: it stays, and OpenFunnel is asked."""
    scripted(server, created(NEW_KEY))
    settings = settings_for(server.base_url, path)
    _crashed_after(settings, path, json.dumps({"id": 7, "email": "eve@evil.com", "api_key": USER_KEY}).encode())
    assert provision(settings, ALICE).api_key == NEW_KEY
    doubted, issued = rows(path)
    assert (doubted.status, doubted.problem) == (Status.ANSWERED, "not for the email that was asked for")
    assert issued.status is Status.ISSUED


@pytest.mark.parametrize(
    ("unbelieved", "problem"),
    [
        (answer(200, b"<html>"), "with no JSON object"),
        (created(email="eve@evil.com"), "not for the email that was asked for"),
        (created(PROVISIONER_KEY), "with the provisioner key itself"),
        (answer(200, {"email": INTERNAL_EMAIL, "api_key": USER_KEY}), "without a usable id"),
        (answer(201, b" " * 70_000), "with more than 64 KB"),
    ],
    ids=["HTML", "another's", "provisioner key", "no id", "long"],
)
def test_an_answer_that_is_not_believed_stays(
    server: ScriptedServer, path: Path, unbelieved: bytes, problem: str
) -> None:
    """It is kept, sealed, with what is wrong; the error says where; the next provision asks OpenFunnel again."""
    scripted(server, unbelieved)
    settings = settings_for(server.base_url, path)
    message = failure(settings, AnswerNotBelieved)
    assert message.endswith("The answer is kept, sealed: python -m pulumi_openfunnel ledger --show-keys.")
    (kept,) = rows(path)
    assert (kept.status, kept.problem, kept.asking) == (Status.ANSWERED, problem, False)
    assert kept.sealed is not None
    another_process()
    scripted(server, created(NEW_KEY))
    assert provision(settings, ALICE).api_key == NEW_KEY
    assert creates(server) == 2
    assert rows(path)[0] == kept


def _revoked(key: str) -> bytes:
    return answer(401) if key == USER_KEY else CREDITS


def test_a_revoked_key_is_asked_for_anew(server: ScriptedServer, path: Path, console: Console) -> None:
    """A key that OpenFunnel refuses, while it accepts the provisioner key, is dead, and another one is asked for."""
    scripted(server, created())
    settings = settings_for(server.base_url, path)
    provision(settings, ALICE)
    another_process()
    scripted(server, created(NEW_KEY), _revoked)
    assert provision(settings, ALICE, console.operation).api_key == NEW_KEY
    assert [(row.status, row.fingerprint) for row in rows(path)] == [
        (Status.DEAD, fingerprint(USER_KEY)),
        (Status.ISSUED, fingerprint(NEW_KEY)),
    ]
    assert any("was revoked" in info for info in console.infos)
    assert not any(key in info for info in console.infos for key in (USER_KEY, NEW_KEY))


@pytest.mark.parametrize(
    "balance",
    [
        lambda _key: answer(500),
        lambda _key: b"",
        lambda _key: answer(200, b"<html>"),
        lambda _key: answer(401),
        lambda key: answer(401) if key == USER_KEY else answer(503),
    ],
    ids=["500", "dropped", "HTML", "401 to all", "401, then 503"],
)
def test_an_outage_does_not_lose_a_key(
    server: ScriptedServer, path: Path, console: Console, balance: Callable[[str], bytes]
) -> None:
    """Where OpenFunnel does not say whether the key works, it is given with a warning, and its row stays."""
    scripted(server, created())
    settings = settings_for(server.base_url, path)
    provision(settings, ALICE)
    another_process()
    scripted(server, answer(500), balance)
    assert provision(settings, ALICE, console.operation).api_key == USER_KEY
    (warning,) = console.warnings
    assert warning.startswith(
        f"{INTERNAL_EMAIL}: its key came from the ledger, but whether it still works is not known"
    )
    assert warning.isprintable()
    assert USER_KEY not in warning
    assert creates(server) == 1
    assert [row.status for row in rows(path)] == [Status.ISSUED]


@pytest.mark.parametrize(
    ("sealed_under", "at_hand"),
    [
        ((None, PROVISIONER_KEY), (None, "of_provisioner_rotated")),
        ((LEDGER_KEY, PROVISIONER_KEY), (None, PROVISIONER_KEY)),
        ((LEDGER_KEY, PROVISIONER_KEY), (bytes(32), PROVISIONER_KEY)),
    ],
    ids=["rotated", "ledger key missing", "another ledger key"],
)
def test_a_key_that_does_not_open_blocks_its_user(
    server: ScriptedServer,
    path: Path,
    sealed_under: tuple[bytes | None, str],
    at_hand: tuple[bytes | None, str],
) -> None:
    """A key sealed under another key is one line that names the ways out; nothing is requested, nothing written."""
    scripted(server, created())
    settings = settings_for(server.base_url, path)
    provision(replace(settings, ledger_key=sealed_under[0], api_key=sealed_under[1]), ALICE)
    another_process()
    before, requests = rows(path), len(server.requests)
    message = failure(replace(settings, ledger_key=at_hand[0], api_key=at_hand[1]), KeySealed)
    assert "sealed under another key" in message
    assert "ledger rekey" in message
    assert f"forget {ALICE.email}" in message
    assert len(server.requests) == requests
    assert rows(path) == before


def test_a_changed_answer_blocks_its_user(server: ScriptedServer, path: Path) -> None:
    """An answer that was changed in the file, or moved from another user's row, is not used."""
    scripted(server, created())
    settings = settings_for(server.base_url, path)
    provision(settings, ALICE)
    (row,) = rows(path)
    seal = Seal(PROVISIONER_KEY.encode())
    shared.ledger_at(path).reseal(row, seal.seal(b"{}", b"another identity"), seal.key_id)
    requests = len(server.requests)
    assert "was changed after it was sealed" in failure(settings, KeySealed)
    assert len(server.requests) == requests


def test_rows_of_both_keys_open(server: ScriptedServer, path: Path) -> None:
    """With the ledger's own key and the provisioner key at hand, rows that are sealed under either open."""
    settings = settings_for(server.base_url, path)
    bob = EndUser("bob@bob.com", "bob@orchestrator.com")
    scripted(server, created())
    provision(settings, ALICE)
    scripted(server, created(NEW_KEY, bob.internal_email))
    provision(replace(settings, ledger_key=LEDGER_KEY), bob)
    assert len({row.key_id for row in rows(path)}) == 2
    another_process()
    both = replace(settings, ledger_key=LEDGER_KEY)
    assert [provision(both, user).api_key for user in (ALICE, bob)] == [USER_KEY, NEW_KEY]
    assert creates(server) == 2


def test_a_key_comes_back_while_the_file_was_elsewhere(server: ScriptedServer, path: Path) -> None:
    """A ledger that was copied to another place holds the same keys."""
    scripted(server, created())
    provision(settings_for(server.base_url, path), ALICE)
    another_process()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert provision(settings_for(server.base_url, copy), ALICE).api_key == USER_KEY
    assert creates(server) == 1
