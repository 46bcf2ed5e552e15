"""The verbs of a roster's shard, over gRPC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.rpc import UNKNOWN

from pulumi_openfunnel import schema
from pulumi_openfunnel.simulator import Accounts

from ..provider_process import Provider, Start
from ..servers import PROVISIONER_KEY, Request, ScriptedServer, answer
from .documents import shard_of

BALANCE = answer(200, {"credits_left": 1})
PAGE = answer(403, b"<html>blocked</html>")


def member(number: int | str, company: str = "customers.com", **more: str) -> dict[str, str]:
    return {"email": f"user{number}@{company}", "internal_email": f"user{number}@orchestrator.com", **more}


def of(*numbers: int) -> dict[str, dict[str, str]]:
    return {f"cust-{number}": member(number) for number in numbers}


TEAM: dict[str, Any] = {"roster": "team", "members": of(0, 1, 2, 3)}


@pytest.fixture
def shard(start: Start, api: str) -> Provider:
    """A provider process of a shard, configured for the simulator."""
    return shard_of(start, api)


@pytest.fixture
def later(start: Start, api: str) -> Provider:
    """The process of a later operation, with the same ledger."""
    return shard_of(start, api)


def checked(shard: Provider, olds: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    inputs, failures = shard.check(TEAM | changes, olds)
    assert failures == []
    return inputs


def test_check_hands_on_what_it_is_given(shard: Provider) -> None:
    """Documents as they came; a later version's inputs are left out."""
    inputs = checked(shard, unheard_of="an input of a later version")
    assert inputs == TEAM
    assert shard.secret == set()


def test_check_names_all_whose_keys_cannot_be_used(shard: Provider) -> None:
    """By what is wrong with them, of users that are there already as well; no key is shown."""
    keys = {"cust-0": " ", "cust-1": PROVISIONER_KEY, "cust-2": "of x"}
    inputs = checked(shard)
    _, [(_, message)] = shard.check(TEAM | {"existing_api_keys": keys}, olds=inputs)
    assert message.startswith("team: cust-0, cust-2: existing_api_key: empty, or holds a space")
    assert "cust-1: existing_api_key: this is the provisioner key" in message
    assert PROVISIONER_KEY not in message
    assert "of x" not in message


def test_check_refuses_one_key_for_two(shard: Provider) -> None:
    """At preview, also where the first one was named by another shard of the same update; the key is not shown."""
    checked(shard, members=of(0), existing_api_keys={"cust-0": "of_pasted"})
    _, [(_, message)] = shard.check(TEAM | {"members": of(1, 2), "existing_api_keys": {"cust-1": "of_pasted"}})
    assert message == (
        "team: cust-1: existing_api_key of user1@customers.com is the same key as that of user0@customers.com. Nothing was "
        "stored. Pass each user's own key."
    )


def test_what_is_unknown_passes(shard: Provider) -> None:
    """Nothing is looked at, and nothing is refused."""
    assert checked(shard, members=UNKNOWN)["members"] == UNKNOWN
    assert checked(shard, existing_api_keys=UNKNOWN)["existing_api_keys"] == UNKNOWN
    assert shard.diff({}, TEAM | {"members": UNKNOWN}) == (True, [], False)


def test_create_gets_every_key(shard: Provider, accounts: Accounts) -> None:
    """How many were tried, and for which engine, is told, and a second diff finds nothing."""
    inputs = checked(shard)
    id_, outs = shard.create(inputs)
    assert id_ == "team"
    assert outs["api_keys"] == {_id_of(user.email): user.api_key for user in accounts.users}
    assert outs["users"]["cust-1"].keys() == {"id", "email", "internal_email", "key_fingerprint", "key_status"}
    assert set(outs) == set(schema.SHARD_OUTPUTS) - {"orchestrator", "secret"}
    assert outs["failed"] == {}
    assert outs["tried"] == {"engine": _address(shard), "users": 4}
    assert shard.diff(outs, inputs) == (False, [], False)


def test_documents_are_one_text_for_the_same_members(shard: Provider) -> None:
    """JSON, sorted, by id: nothing in them is a matter of order."""
    _, outs = shard.create(checked(shard, members=of(3, 1, 0, 2)))
    for name in ("users", "api_keys", "failed"):
        assert list(outs[name]) == sorted(outs[name])
    assert shard.diff(outs, TEAM | {"members": of(0, 1, 2, 3)}) == (False, [], False)


def _address(shard: Provider) -> str:
    """Of the engine that it was started by, which no other run on this machine has at the time."""
    command = shard.process.args
    assert isinstance(command, list)
    return str(command[-1])


def _id_of(internal_email: str) -> str:
    return internal_email.partition("@")[0].replace("user", "cust-")


def test_keys_are_in_the_envelope_of_every_answer(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """What check, create, update and read return, whatever the program's options say; no key stands beside it."""
    key = accounts.create("user0@orchestrator.com").api_key
    inputs = checked(shard, existing_api_keys={"cust-0": key})
    assert shard.secret == {"existing_api_keys"}
    _, outs = shard.create(inputs)
    assert shard.secret == {"api_keys"}
    assert "existing_api_keys" not in outs
    later.read("team", outs)
    assert later.secret == {"api_keys"}
    updated = later.update(outs, checked(later, members=of(0, 1, 2, 3, 4)))
    assert later.secret == {"api_keys"}
    shown = json.dumps({name: value for name, value in updated.items() if name != "api_keys"})
    assert not any(user.api_key in shown for user in accounts.users)


def test_secret_addresses_are_in_the_envelope_of_every_answer(
    shard: Provider, later: Provider, accounts: Accounts
) -> None:
    """And in nothing that is said: ids stand for them, which are no addresses."""
    accounts.create("user3@orchestrator.com")
    accounts.create("user9@elsewhere.com")
    inputs = checked(shard, secret=True)
    assert shard.secret == {"members"}
    _, outs = shard.create(inputs)
    hidden = {"api_keys", "users", "failed"}
    assert shard.secret == hidden
    assert outs["failed"]["cust-3"].startswith("exists already (409)")
    _, read, _ = shard.read("team", outs)
    assert shard.secret == hidden
    assert read == outs
    news = {"cust-0": member(0, "bigcorp.com")} | of(1)
    updated = later.update(outs, checked(later, inputs, members=news, secret=True))
    assert later.secret == hidden
    assert updated["secret"] is True
    later.delete("team", updated)
    said = [message for provider in (shard, later) for _, message in provider.engine.logs]
    assert len(said) >= 3
    assert not any("@" in message for message in said)
    assert any(message.startswith("cust-0: now stands for another address") for message in said)
    assert any(message.startswith("cust-2: removed from the stack only") for message in said)


def test_secret_addresses_that_are_the_ids_are_not_said_either(
    shard: Provider, later: Provider, accounts: Accounts
) -> None:
    """Of a list: whoever it is, it is a member of the roster."""
    accounts.create("user1@orchestrator.com")
    members = {entry["email"]: entry for entry in of(0, 1).values()}
    inputs = checked(shard, members=members, secret=True)
    _, outs = shard.create(inputs)
    assert later.diff(outs, inputs) == (True, [], False)
    later.delete("team", outs)
    said = [message for _, message in later.engine.logs]
    assert any(message == "team: 1 that failed before is tried again." for message in said)
    assert any(message.startswith("a member of team: removed from the stack only") for message in said)
    assert not any("@" in message for message in said)


def test_what_fails_is_kept_beside_what_succeeds(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """A diff finds the failed one, and says so; an update tries it alone."""
    accounts.create("user2@orchestrator.com")
    inputs = checked(shard)
    _, outs = shard.create(inputs)
    assert list(outs["failed"]) == ["cust-2"]
    assert outs["failed"]["cust-2"].startswith("exists already (409)")
    assert sorted(outs["users"]) == sorted(outs["api_keys"]) == ["cust-0", "cust-1", "cust-3"]
    assert outs["tried"]["users"] == 4
    assert "applied" not in outs
    assert later.diff(outs, inputs) == (True, [], False)
    assert ("INFO", "team: 1 that failed before is tried again (cust-2).") in later.engine.logs

    [user] = [user for user in accounts.users if user.email == "user2@orchestrator.com"]
    updated = later.update(outs, checked(later, existing_api_keys={"cust-2": user.api_key}))
    assert (updated["failed"], updated["tried"]["users"]) == ({}, 1)
    assert updated["api_keys"]["cust-2"] == user.api_key
    assert len(accounts.record.entries) == 4
    assert later.diff(updated, inputs) == (False, [], False)


def test_adding_asks_for_the_new_one_and_removing_forgets(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """The others keep what they have; one warning names who lives on, and where the key waits."""
    _, outs = shard.create(checked(shard))
    updated = later.update(outs, checked(later, members=of(1, 2, 3, 4)))
    assert sorted(updated["users"]) == [f"cust-{number}" for number in (1, 2, 3, 4)]
    assert {id_: updated["users"][id_] for id_ in of(1, 2, 3)} == {id_: outs["users"][id_] for id_ in of(1, 2, 3)}
    assert len(accounts.record.entries) == 5
    [warning] = later.engine.warnings
    assert warning.startswith("user0@orchestrator.com: removed from the stack only: ")
    assert "User and key live on. The key waits in the ledger, " in warning


def test_another_internal_email_is_another_user(shard: Provider, later: Provider, accounts: Accounts) -> None:
    """The first one's key is released once the other one is there, with the same warning as of a resource's."""
    _, outs = shard.create(checked(shard))
    boss = {"cust-1": member(1) | {"internal_email": "boss@orchestrator.com"}}
    updated = later.update(outs, checked(later, members=of(0, 1, 2, 3) | boss))
    assert updated["users"]["cust-1"]["internal_email"] == "boss@orchestrator.com"
    assert len(accounts.record.entries) == 5
    [warning] = later.engine.warnings
    assert warning.startswith("user1@orchestrator.com: removed from the stack only: ")
    assert "User and key live on. The key waits in the ledger, " in warning


@pytest.mark.parametrize(
    ("members", "warned"),
    [
        ({"cust-0": member(1), "cust-1": member(0)}, None),
        ({"user0@customers.com": member(0), "user1@customers.com": member(1)}, None),
        ({"cust-0": member(0, "bigcorp.com"), "cust-1": member(1)}, "user0@customers.com became user0@bigcorp.com"),
        (
            {"cust-9": member(0, "bigcorp.com", alias="cust-0"), "cust-1": member(1)},
            "user0@customers.com became user0@",
        ),
    ],
    ids=["swapped", "from ids to a list", "another company", "an alias"],
)
def test_users_keep_their_keys_without_a_request(
    shard: Provider, later: Provider, accounts: Accounts, members: dict[str, Any], warned: str | None
) -> None:
    """Whatever a member is called; another address is warned of."""
    known = checked(shard, members=of(0, 1))
    _, before = shard.create(known)
    inputs = checked(later, known, members=members)
    assert later.diff(before, inputs) == (True, [], False)
    updated = later.update(before, inputs)
    assert {entry["internal_email"]: updated["api_keys"][id_] for id_, entry in updated["users"].items()} == {
        user.email: user.api_key for user in accounts.users
    }
    assert {id_: entry["email"] for id_, entry in updated["users"].items()} == {
        id_: entry["email"] for id_, entry in members.items()
    }
    assert (updated["tried"]["users"], len(accounts.record.entries)) == (0, 2)
    assert later.diff(updated, inputs) == (False, [], False)
    if warned is None:
        assert later.engine.warnings == []
    else:
        [warning] = later.engine.warnings
        assert "now stands for another address: it is the same OpenFunnel user with the same key." in warning


def test_a_key_that_the_ledger_does_not_take_stays_in_the_state(start: Start, api: str, tmp_path: Path) -> None:
    """The user is shown as failed, and the next update tries to let it go again."""
    shard = shard_of(start, api)
    known = checked(shard)
    _, outs = shard.create(known)
    ledger = tmp_path / "damaged.db"
    ledger.write_bytes(b"no database" * 100)
    later = shard_of(start, api, OPENFUNNEL_LEDGER=str(ledger))
    inputs = checked(later, known, members=of(1, 2, 3))
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
    _, outs = shard.create(checked(shard, members=of(*range(40))))
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
    _, read, _ = shard.read("team", outs)
    assert [user["key_status"] for _, user in sorted(read["users"].items())] == ["active", "revoked"] * 2
    assert read | {"users": None} == outs | {"users": None}
    [warning] = shard.engine.warnings
    assert warning.startswith("2 users: user1@orchestrator.com, user3@orchestrator.com: its key was revoked: ")


def test_a_refused_provisioner_key_is_tried_once(start: Start, server: ScriptedServer) -> None:
    """What says the same to everybody is asked of nobody else: every user fails with it."""
    server.script = lambda request: [BALANCE if request.method == "GET" else answer(401, {})]
    shard = shard_of(start, server.base_url)
    _, outs = shard.create(checked(shard, members=of(*range(200))))
    assert len(outs["failed"]) == 200
    refused = "OpenFunnel refused the provisioner key (401). Nothing was created. Run: "
    assert all(reason.startswith(refused) for reason in outs["failed"].values())
    assert len([request for request in server.requests if request.method == "POST"]) <= 48


def test_once_somebody_succeeded_a_refusal_is_one_users(start: Start, server: ScriptedServer) -> None:
    """A provisioner key that worked a moment ago is not refused to everybody because it was to one."""

    def script(request: Request) -> list[bytes]:
        email = json.loads(request.body or b"{}").get("email")
        if email in ("user7@orchestrator.com", "user31@orchestrator.com"):
            return [answer(401 if "7" in email else 403, {"error_code": "NO"})]
        return [answer(200, {"id": 1, "email": email, "api_key": f"of_{email}"})]

    server.script = script
    server._httpd.socket.listen(64)  # or the system lets connections wait
    shard = shard_of(start, server.base_url)
    _, outs = shard.create(checked(shard, members=of(0)))
    _, outs = shard.create(checked(shard, members=of(*range(1, 100))))
    assert sorted(outs["failed"]) == ["cust-31", "cust-7"]
    assert len(outs["users"]) == 97


@pytest.mark.parametrize("page", [PAGE, answer(401, b"<html>log in</html>"), answer(407, b"")])
def test_somebody_elses_page_is_one_users(start: Start, server: ScriptedServer, page: bytes) -> None:
    """Of many, those that a firewall does not like fail alone; the reason does not speak of the provisioner key."""

    def script(request: Request) -> list[bytes]:
        email = json.loads(request.body or b"{}").get("email")
        if email in ("user1@orchestrator.com", "user2@orchestrator.com", "user3@orchestrator.com"):
            return [page]
        return [answer(200, {"id": 1, "email": email, "api_key": f"of_{email}"})]

    server.script = script
    server._httpd.socket.listen(64)  # or the system lets connections wait
    shard = shard_of(start, server.base_url)
    _, outs = shard.create(checked(shard, members=of(*range(40))))
    assert sorted(outs["failed"]) == ["cust-1", "cust-2", "cust-3"]
    [reason] = set(outs["failed"].values())
    assert reason.startswith("somebody between here and OpenFunnel answered in its place (")
    assert "provisioner" not in reason


def test_without_a_key_everybody_fails_and_nobody_is_asked(start: Start, server: ScriptedServer) -> None:
    """The reason says how it is set."""
    shard = shard_of(start, server.base_url, api_key=None)
    _, outs = shard.create(checked(shard))
    assert outs["users"] == {}
    assert all("openfunnel:apiKey is not set. Run: " in reason for reason in outs["failed"].values())
    assert outs["tried"]["users"] == 4
    assert server.requests == []


def test_another_orchestrator_replaces_nothing(shard: Provider) -> None:
    """Its users are other users where their internal emails are others; at the same domain they are the same."""
    inputs = checked(shard)
    _, outs = shard.create(inputs)
    assert shard.diff(outs, inputs | {"orchestrator": "acme"}) == (False, [], False)
    others = {id_: entry | {"internal_email": f"{id_}@acme.com"} for id_, entry in TEAM["members"].items()}
    assert shard.diff(outs, inputs | {"orchestrator": "acme", "members": others}) == (True, [], False)
