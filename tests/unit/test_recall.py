"""Keys that come back: a second provision over a ledger, after whatever happened to the first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnswerNotBelieved, KeySealed, UserExists
from pulumi_openfunnel.ledger.rows import Identity, Status
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, fingerprint
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
    Callers,
    Console,
    another_process,
    created,
    creates,
    failure,
    ledger_of,
    rows,
    scripted,
    with_settings,
)


def _crashed_after(caller: Caller, body: bytes) -> None:
    """What a process leaves that was killed after it kept this answer."""
    ledger, seal = ledger_of(caller), Seal(PROVISIONER_KEY.encode())
    row, _ = ledger.begin(Identity(caller.settings.base_url, ORCHESTRATOR, ALICE.internal_email, ALICE.email))
    ledger.answered(row, seal.seal(body, row.identity.bound), seal.key_id)
    another_process(caller)


@pytest.mark.parametrize("existing", Existing)
def test_the_same_key_comes_back(existing: Existing, callers: Callers, path: Path, console: Console) -> None:
    """A second provision gives the same user and key without a request, whatever OpenFunnel would have answered."""
    accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=existing)
    with serve(accounts) as base_url:
        caller = callers(base_url, path, operation=console.operation)
        first = provision(caller, ALICE)
        another_process(caller)
        second = provision(caller, ALICE)
    assert (second.id, second.api_key) == (first.id, first.api_key)
    assert len(accounts.record.entries) == 1
    told = "key taken from the ledger; no new one was requested."
    assert console.infos == [f"{INTERNAL_EMAIL}: {told} ({first.fingerprint})"]
    assert console.warnings == []


def test_without_a_ledger_it_works(accounts: Accounts, api: str, callers: Callers, tmp_path: Path) -> None:
    """With the ledger off, users are created, nothing is kept, and a second time the user exists."""
    provisioned = provision(callers(api), ALICE)
    assert [user.api_key for user in accounts.users] == [provisioned.api_key]
    assert "exists already" in failure(callers(api), UserExists)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_was_kept_before_a_crash_is_used(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """A process that died between the answer and its being looked at loses nothing: no request is made."""
    scripted(server, answer(500))
    caller = callers(server.base_url, path)
    _crashed_after(caller, b'{"id": 7, "email": "alice@orchestrator.com", "api_key": "of_alice_0123456789"}')
    assert provision(caller, ALICE).api_key == USER_KEY
    assert creates(server) == 0
    (row,) = rows(caller)
    assert (row.status, row.fingerprint, row.asking) == (Status.ISSUED, fingerprint(USER_KEY), False)


def test_a_kept_answer_that_proves_nothing_is_not_used(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """A crash between an answer and its being looked at does not make it believed: it stays, and OpenFunnel is asked."""
    scripted(server, created(NEW_KEY))
    caller = callers(server.base_url, path)
    _crashed_after(caller, json.dumps({"id": 7, "email": "eve@evil.com", "api_key": USER_KEY}).encode())
    assert provision(caller, ALICE).api_key == NEW_KEY
    doubted, issued = rows(caller)
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
    server: ScriptedServer, callers: Callers, path: Path, unbelieved: bytes, problem: str
) -> None:
    """It is kept, sealed, with what is wrong; the error says where; the next provision asks OpenFunnel again."""
    scripted(server, unbelieved)
    caller = callers(server.base_url, path)
    message = failure(caller, AnswerNotBelieved)
    assert message.endswith("The answer is kept, sealed: python -m pulumi_openfunnel ledger --show-keys.")
    (kept,) = rows(caller)
    assert (kept.status, kept.problem, kept.asking) == (Status.ANSWERED, problem, False)
    assert kept.sealed is not None
    another_process(caller)
    scripted(server, created(NEW_KEY))
    assert provision(caller, ALICE).api_key == NEW_KEY
    assert creates(server) == 2
    assert rows(caller)[0] == kept


def _revoked(key: str) -> bytes:
    return answer(401, {}) if key == USER_KEY else CREDITS


def test_a_revoked_key_is_asked_for_anew(
    server: ScriptedServer, callers: Callers, path: Path, console: Console
) -> None:
    """A key that OpenFunnel refuses, while it accepts the provisioner key, is dead, and another one is asked for."""
    scripted(server, created())
    caller = callers(server.base_url, path, operation=console.operation)
    provision(caller, ALICE)
    another_process(caller)
    scripted(server, created(NEW_KEY), _revoked)
    assert provision(caller, ALICE).api_key == NEW_KEY
    assert [(row.status, row.fingerprint) for row in rows(caller)] == [
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
        lambda _key: answer(401, {}),
        lambda key: answer(401, {}) if key == USER_KEY else answer(503),
    ],
    ids=["500", "dropped", "HTML", "401 to all", "401, then 503"],
)
def test_an_outage_does_not_lose_a_key(
    server: ScriptedServer, callers: Callers, path: Path, console: Console, balance: Callable[[str], bytes]
) -> None:
    """Where OpenFunnel does not say whether the key works, it is given with a warning, and its row stays."""
    scripted(server, created())
    caller = callers(server.base_url, path, operation=console.operation)
    provision(caller, ALICE)
    another_process(caller)
    scripted(server, answer(500), balance)
    assert provision(caller, ALICE).api_key == USER_KEY
    (warning,) = console.warnings
    assert warning.startswith(
        f"{INTERNAL_EMAIL}: key taken from the ledger, but whether it still works is not known. OpenFunnel "
    )
    assert warning.endswith(f". ({fingerprint(USER_KEY)})")
    assert warning.isprintable()
    assert USER_KEY not in warning
    assert creates(server) == 1
    assert [row.status for row in rows(caller)] == [Status.ISSUED]


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
    callers: Callers,
    path: Path,
    sealed_under: tuple[bytes | None, str],
    at_hand: tuple[bytes | None, str],
) -> None:
    """A key sealed under another key is one line that names the ways out; nothing is requested, nothing written."""
    scripted(server, created())
    caller = callers(server.base_url, path)
    provision(with_settings(caller, ledger_key=sealed_under[0], api_key=sealed_under[1]), ALICE)
    another_process(caller)
    before, requests = rows(caller), len(server.requests)
    message = failure(with_settings(caller, ledger_key=at_hand[0], api_key=at_hand[1]), KeySealed)
    assert "sealed under another key" in message
    assert "ledger rekey" in message
    assert "ledger forget --help" in message
    assert len(server.requests) == requests
    assert rows(caller) == before


def test_a_changed_answer_blocks_its_user(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """An answer that was changed in the file, or moved from another user's row, is not used."""
    scripted(server, created())
    caller = callers(server.base_url, path)
    provision(caller, ALICE)
    (row,) = rows(caller)
    seal = Seal(PROVISIONER_KEY.encode())
    ledger_of(caller).reseal(row, seal.seal(b"{}", b"another identity"), seal.key_id)
    requests = len(server.requests)
    assert "was changed after it was sealed" in failure(caller, KeySealed)
    assert len(server.requests) == requests


def test_rows_of_both_keys_open(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """With the ledger's own key and the provisioner key at hand, rows that are sealed under either open."""
    caller = callers(server.base_url, path)
    bob = EndUser("bob@bob.com", "bob@orchestrator.com")
    scripted(server, created())
    provision(caller, ALICE)
    scripted(server, created(NEW_KEY, bob.internal_email))
    provision(with_settings(caller, ledger_key=LEDGER_KEY), bob)
    assert len({row.key_id for row in rows(caller)}) == 2
    another_process(caller)
    both = with_settings(caller, ledger_key=LEDGER_KEY)
    assert [provision(both, user).api_key for user in (ALICE, bob)] == [USER_KEY, NEW_KEY]
    assert creates(server) == 2


def test_a_key_comes_back_while_the_file_was_elsewhere(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """A ledger that was copied to another place holds the same keys."""
    scripted(server, created())
    caller = callers(server.base_url, path)
    provision(caller, ALICE)
    another_process(caller)
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert provision(callers(server.base_url, copy), ALICE).api_key == USER_KEY
    assert creates(server) == 1
