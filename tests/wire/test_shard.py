"""The verbs of a roster's shard, over gRPC."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.rpc import UNKNOWN

from pulumi_openfunnel import schema
from pulumi_openfunnel.dynamic.shard import closed, opened
from pulumi_openfunnel.providers import ProvisionedUsersShardProvider
from pulumi_openfunnel.simulator import Accounts

from ..provider_process import Provider, Start
from ..servers import ORCHESTRATOR, PROVISIONER_KEY, ScriptedServer, answer

TEAM = {"roster": "team", "emails": [f"user{n}@customers.com" for n in range(4)]}
BALANCE = answer(200, {"credits_left": 1})


@pytest.fixture
def shard(start: Start, api: str) -> Provider:
    """A provider process of a shard, configured for the simulator."""
    return shard_of(start, api)


@pytest.fixture
def later(start: Start, api: str) -> Provider:
    """The process of a later operation, with the same ledger."""
    return shard_of(start, api)


class Shard(Provider):
    """A provider process that is handed documents, and whose documents are opened."""

    def _props(self, values: dict[str, Any], provider: str | None = None) -> Struct:
        unknown = {name: value for name, value in values.items() if value == UNKNOWN}
        return super()._props(closed(values) | unknown, provider)

    def _plain(self, struct: Struct, provider: str | None = None) -> dict[str, Any]:
        values = super()._plain(struct, provider)
        unknown = {name: value for name, value in values.items() if value == UNKNOWN}
        return opened({name: value for name, value in values.items() if name not in unknown}) | unknown


def shard_of(start: Start, base_url: str, api_key: str | None = PROVISIONER_KEY) -> Provider:
    running = start(Shard)
    running._provider = serialize_provider(ProvisionedUsersShardProvider())
    running.configure(userId=ORCHESTRATOR, apiKey=api_key, baseUrl=base_url, timeout=10)
    return running


def checked(shard: Provider, **changes: Any) -> dict[str, Any]:
    inputs, failures = shard.check(TEAM | changes)
    assert failures == []
    return inputs


def test_check_computes_every_internal_email(shard: Provider) -> None:
    """By the end user's address; prefixes stand for single ones."""
    inputs = checked(shard, prefixes={"user1@customers.com": "boss"})
    assert inputs["internal_emails"] == {
        "user0@customers.com": "user0@orchestrator.com",
        "user1@customers.com": "boss@orchestrator.com",
        "user2@customers.com": "user2@orchestrator.com",
        "user3@customers.com": "user3@orchestrator.com",
    }


def test_check_names_all_bad_addresses_in_one_line(shard: Provider) -> None:
    """At most five of them, and how many more there are."""
    _, [(_, message)] = shard.check(TEAM | {"emails": [f"user{n}@@customers.com" for n in range(8)]})
    assert message.count("more than one @") == 5
    assert message.endswith("And 3 more.")
    assert message.isprintable()


def test_check_names_all_whose_keys_cannot_be_used(shard: Provider) -> None:
    """By what is wrong with them, of users that are there already as well; no key is shown."""
    keys = {"user0@customers.com": " ", "user1@customers.com": PROVISIONER_KEY, "user2@customers.com": "of x"}
    inputs = checked(shard)
    _, [(_, message)] = shard.check(TEAM | {"existing_api_keys": keys}, olds=inputs)
    assert message.startswith(
        "team: user0@customers.com, user2@customers.com: existing_api_key: empty, or holds a space"
    )
    assert "user1@customers.com: existing_api_key: this is the provisioner key" in message
    assert PROVISIONER_KEY not in message
    assert "of x" not in message


def test_check_says_once_what_is_wrong_for_all(shard: Provider) -> None:
    """An unknown mapping is one sentence."""
    _, [(_, message)] = shard.check(TEAM | {"email_mapping": "foo"})
    assert message == 'team: email_mapping "foo": unknown. Give "prefix" or "subaddress".'


def test_what_is_unknown_passes(shard: Provider) -> None:
    """Nothing is computed, and nothing is refused."""
    assert checked(shard, emails=UNKNOWN)["internal_emails"] == UNKNOWN


def test_create_gets_every_key(shard: Provider, accounts: Accounts) -> None:
    """How many were tried, and when, is told, and a second diff finds nothing."""
    before, inputs = time.time(), checked(shard)
    _, outs = shard.create(inputs)
    assert outs["api_keys"] == {
        user.email.replace("orchestrator", "customers"): user.api_key for user in accounts.users
    }
    assert set(outs) == set(schema.SHARD_OUTPUTS) - {"orchestrator"}
    assert outs["failed"] == {}
    assert outs["tried"]["users"] == 4
    assert before <= outs["tried"]["at"] <= time.time()
    assert shard.diff(outs, inputs) == (False, [], False)


def test_what_fails_is_kept_beside_what_succeeds(shard: Provider, accounts: Accounts) -> None:
    """A diff finds the failed one, and an update tries it alone."""
    accounts.create("user2@orchestrator.com")
    inputs = checked(shard)
    _, outs = shard.create(inputs)
    assert list(outs["failed"]) == ["user2@customers.com"]
    assert outs["failed"]["user2@customers.com"].startswith("exists already (409)")
    assert sorted(outs["users"]) == sorted(outs["api_keys"]) == [f"user{n}@customers.com" for n in (0, 1, 3)]
    assert outs["tried"]["users"] == 4
    assert shard.diff(outs, inputs) == (True, [], False)

    [user] = [user for user in accounts.users if user.email == "user2@orchestrator.com"]
    adopted = checked(shard, existing_api_keys={"user2@customers.com": user.api_key})
    updated = shard.update(outs, adopted)
    assert updated["failed"] == {}
    assert updated["api_keys"]["user2@customers.com"] == user.api_key
    assert len(accounts.record.entries) == 4
    assert shard.diff(updated, inputs) == (False, [], False)


def test_adding_asks_for_the_new_one_and_removing_forgets(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """The others keep what they have; one warning names who lives on, and where the key waits."""
    _, outs = shard.create(checked(shard))
    emails = [*TEAM["emails"][1:], "new@customers.com"]
    updated = later.update(outs, checked(later, emails=emails))
    assert sorted(updated["users"]) == sorted(emails)
    assert {email: updated["users"][email] for email in TEAM["emails"][1:]} == {
        email: outs["users"][email] for email in TEAM["emails"][1:]
    }
    assert len(accounts.record.entries) == 5
    [warning] = later.engine.warnings
    assert warning.startswith("user0@orchestrator.com: removed from the stack only: ")
    assert "User and key live on. The key waits in the ledger, " in warning


def test_another_internal_email_is_another_user(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """The first one's key is released, with the same warning, as when a resource is replaced."""
    _, outs = shard.create(checked(shard))
    updated = later.update(outs, checked(later, prefixes={"user1@customers.com": "boss"}))
    assert updated["users"]["user1@customers.com"]["internal_email"] == "boss@orchestrator.com"
    assert len(accounts.record.entries) == 5
    [warning] = later.engine.warnings
    assert warning.startswith("user1@orchestrator.com: removed from the stack only: ")
    assert "User and key live on. The key waits in the ledger, " in warning


def test_a_key_that_the_ledger_does_not_take_stays_in_the_state(start: Start, api: str, tmp_path: Path) -> None:
    """The user is shown as failed, and the next update tries to let it go again."""
    shard = shard_of(start, api)
    known = checked(shard)
    _, outs = shard.create(known)
    ledger = tmp_path / "damaged.db"
    ledger.write_bytes(b"no database" * 100)
    later = start(Shard, OPENFUNNEL_LEDGER=str(ledger))
    later._provider = serialize_provider(ProvisionedUsersShardProvider())
    later.configure(userId=ORCHESTRATOR, apiKey=PROVISIONER_KEY, baseUrl=api)
    inputs, failures = later.check(TEAM | {"emails": TEAM["emails"][1:]}, known)
    assert failures == []
    updated = later.update(outs, inputs)
    assert updated["users"] == outs["users"]
    assert updated["api_keys"] == outs["api_keys"]
    [reason] = updated["failed"].values()
    assert reason.startswith(f"stays in the state, which keeps its key: The ledger {ledger} ")
    assert later.diff(updated, inputs) == (True, [], False)


def test_an_outage_is_one_reason(start: Start, server: ScriptedServer) -> None:
    """How often each user was tried tells them not apart."""
    server.script = lambda request: [BALANCE if request.method == "GET" else answer(500)]
    shard = shard_of(start, server.base_url)
    _, outs = shard.create(checked(shard))
    [reason] = set(outs["failed"].values())
    assert "Tried" not in reason


def test_many_that_leave_are_one_warning(shard: Provider, later: Provider) -> None:
    """With ten names and a number."""
    _, outs = shard.create(checked(shard, emails=[f"user{n}@customers.com" for n in range(40)]))
    later.delete("team", outs)
    [warning] = later.engine.warnings
    assert warning.startswith("40 users: user0@orchestrator.com, user10@orchestrator.com")
    assert " and 30 more: removed from the stack only: " in warning


def test_keys_from_the_ledger_are_one_line(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """A killed update, or a move into a roster, is no line a user."""
    shard.create(checked(shard))
    later.create(checked(later))
    assert len(accounts.record.entries) == 4
    [line] = [message for _, message in later.engine.logs if "key taken from the ledger" in message]
    assert line.startswith("4 users: user0@orchestrator.com, user1@orchestrator.com, ")
    assert line.endswith(": key taken from the ledger; no new one was requested.")


def test_a_refresh_sees_who_was_revoked(shard: Provider, accounts: Accounts) -> None:
    """User by user; one warning names them, and the state keeps everybody."""
    _, outs = shard.create(checked(shard))
    accounts.revoke("user1@orchestrator.com")
    accounts.revoke("user3@orchestrator.com")
    _, read, inputs = shard.read("team", outs)
    assert [user["key_status"] for _, user in sorted(read["users"].items())] == ["active", "revoked"] * 2
    assert sorted(inputs["emails"]) == TEAM["emails"]
    [warning] = shard.engine.warnings
    assert warning.startswith("2 users: user1@orchestrator.com, user3@orchestrator.com: its key was revoked: ")


def test_a_refused_provisioner_key_is_tried_once(start: Start, server: ScriptedServer) -> None:
    """What says the same to everybody is asked of nobody else: every user fails with it."""
    server.script = lambda request: [BALANCE if request.method == "GET" else answer(401)]
    shard = shard_of(start, server.base_url)
    _, outs = shard.create(checked(shard, emails=[f"user{n}@customers.com" for n in range(200)]))
    assert len(outs["failed"]) == 200
    refused = "OpenFunnel refused the provisioner key (401). Nothing was created. Run: "
    assert all(reason.startswith(refused) for reason in outs["failed"].values())
    assert len([request for request in server.requests if request.method == "POST"]) <= 48


def test_without_a_key_everybody_fails_and_nobody_is_asked(start: Start, server: ScriptedServer) -> None:
    """The reason says how it is set."""
    shard = shard_of(start, server.base_url, api_key=None)
    _, outs = shard.create(checked(shard))
    assert outs["users"] == {}
    assert all("openfunnel:apiKey is not set. Run: " in reason for reason in outs["failed"].values())
    assert outs["tried"]["users"] == 4
    assert server.requests == []


def test_another_orchestrator_replaces_the_shard(shard: Provider) -> None:
    """Its users are other users."""
    inputs = checked(shard)
    _, outs = shard.create(inputs)
    assert shard.diff(outs, inputs | {"orchestrator": "acme"}) == (True, ["orchestrator"], False)
