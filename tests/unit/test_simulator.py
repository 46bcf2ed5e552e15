"""The local OpenFunnel: what is documented, and what a real server would refuse."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pulumi_openfunnel.simulator import Account, Accounts, Existing, Ids, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY

OTHER_KEY = "of_other_0123456789"
PLAIN = "pat@orchestrator.com"
PLAIN_KEY = "of_plain_0123456789"
CREATE_USER = "/api/v1/admin/create-user"
BALANCE = "/api/v1/credits/balance"


def _accounts(existing: Existing = Existing.CONFLICT, ids: Ids = Ids.NUMBER, data: Path | None = None) -> Accounts:
    accounts = [
        Account(ORCHESTRATOR, PROVISIONER_KEY),
        Account("olga@other.com", OTHER_KEY),
        Account(PLAIN, PLAIN_KEY, is_provisioner=False),
    ]
    return Accounts(accounts, existing=existing, ids=ids, credits=162.5, data=data)


class Caller:
    """Who talks to a simulator over HTTP."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def send(self, method: str, path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
        # Without verify, no time goes into a TLS context that plain http has no use for.
        return httpx.request(method, self.base_url + path, headers=headers, trust_env=False, verify=False, **body)

    def create(self, email: object = INTERNAL_EMAIL) -> httpx.Response:
        headers = {"X-API-Key": PROVISIONER_KEY, "X-User-ID": ORCHESTRATOR}
        return self.send("POST", CREATE_USER, headers, json={"email": email})

    def balance(self, api_key: str) -> httpx.Response:
        return self.send("GET", BALANCE, {"X-API-Key": api_key})


@pytest.fixture
def accounts() -> Accounts:
    return _accounts()


@pytest.fixture
def caller(accounts: Accounts) -> Iterator[Caller]:
    with serve(accounts) as base_url:
        yield Caller(base_url)


def test_it_listens_on_this_machine_alone(caller: Caller) -> None:
    """The base URL is a loopback address with a port."""
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", caller.base_url)


def test_a_user_is_created_with_an_id_an_email_and_a_key(caller: Caller) -> None:
    """The answer holds the documented three fields, with a key of OpenFunnel's form."""
    answer = caller.create()
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "email", "api_key"}
    assert answer.json()["email"] == INTERNAL_EMAIL
    assert re.fullmatch(r"of_[!-~]{16,}", answer.json()["api_key"])


def test_each_user_has_an_id_and_a_key_of_its_own(caller: Caller) -> None:
    """Two users share neither id nor key."""
    users = [caller.create(email).json() for email in (INTERNAL_EMAIL, "bob@orchestrator.com")]
    assert len({user["id"] for user in users}) == len({user["api_key"] for user in users}) == 2


def test_every_key_of_a_domain_reads_the_same_credits(caller: Caller) -> None:
    """The user's key and the provisioner's read one balance of three numbers, with the key alone."""
    user_key = caller.create().json()["api_key"]
    answers = [caller.balance(key) for key in (user_key, PROVISIONER_KEY)]
    assert [answer.status_code for answer in answers] == [200, 200]
    expected = {"total_credits": 162.5, "credits_used": 0.0, "credits_left": 162.5}
    assert [answer.json() for answer in answers] == [expected, expected]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": "of_nobody"}])
def test_a_balance_is_not_told_to_strangers(caller: Caller, headers: dict[str, str]) -> None:
    """A balance needs a key that somebody has."""
    answer = caller.send("GET", BALANCE, headers)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHORIZED")


GOOD = {"X-API-Key": PROVISIONER_KEY, "X-User-ID": ORCHESTRATOR, "Content-Type": "application/json"}
BODY = b'{"email": "alice@orchestrator.com"}'

REFUSALS: list[tuple[str, dict[str, str | None], bytes, int, str]] = [
    ("no key", {"X-API-Key": None}, BODY, 401, "UNAUTHORIZED"),
    ("wrong key", {"X-API-Key": "of_nobody"}, BODY, 401, "UNAUTHORIZED"),
    ("key in other case", {"X-API-Key": PROVISIONER_KEY.upper()}, BODY, 401, "UNAUTHORIZED"),
    ("no user id", {"X-User-ID": None}, BODY, 400, "INVALID_REQUEST"),
    ("user id of another", {"X-User-ID": "olga@other.com"}, BODY, 403, "FORBIDDEN"),
    ("user id in the domain", {"X-User-ID": PLAIN}, BODY, 403, "FORBIDDEN"),
    ("not a provisioner", {"X-API-Key": PLAIN_KEY, "X-User-ID": PLAIN}, BODY, 403, "FORBIDDEN"),
    ("foreign domain", {}, b'{"email": "alice@other.com"}', 403, "FORBIDDEN"),
    ("domain below", {}, b'{"email": "alice@mail.orchestrator.com"}', 403, "FORBIDDEN"),
    ("no body", {}, b"", 400, "INVALID_REQUEST"),
    ("no JSON", {}, b"email=alice", 400, "INVALID_REQUEST"),
    ("no object", {}, b'["alice@orchestrator.com"]', 400, "INVALID_REQUEST"),
    ("no email", {}, b"{}", 400, "INVALID_REQUEST"),
    ("null email", {}, b'{"email": null}', 400, "INVALID_REQUEST"),
    ("numeric email", {}, b'{"email": 3}', 400, "INVALID_REQUEST"),
    ("no address", {}, b'{"email": "alice"}', 400, "INVALID_REQUEST"),
    ("nothing before the @", {}, b'{"email": "@orchestrator.com"}', 400, "INVALID_REQUEST"),
    ("blank in the email", {}, b'{"email": "al ice@orchestrator.com"}', 400, "INVALID_REQUEST"),
    ("no content type", {"Content-Type": None}, BODY, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("wrong content type", {"Content-Type": "text/plain"}, BODY, 415, "UNSUPPORTED_MEDIA_TYPE"),
]


@pytest.mark.parametrize(
    ("changes", "body", "status", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_what_a_real_server_would_refuse_is_refused(
    *, caller: Caller, accounts: Accounts, changes: dict[str, str | None], body: bytes, status: int, code: str
) -> None:
    """A refusal has its status and error_code, shows no key, and creates nobody."""
    headers = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    answer = caller.send("POST", CREATE_USER, headers, content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert "of_" not in answer.text
    assert accounts.users == []


def test_the_request_that_the_refusals_vary_is_accepted(caller: Caller, accounts: Accounts) -> None:
    """The same request without a fault creates the user."""
    assert caller.send("POST", CREATE_USER, GOOD, content=BODY).status_code == 200
    assert [user.email for user in accounts.users] == [INTERNAL_EMAIL]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", CREATE_USER, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", CREATE_USER, 405, "METHOD_NOT_ALLOWED"),
        ("POST", BALANCE, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/api/v1/admin/users", 404, "NOT_FOUND"),
        ("POST", "/api/v1/admin/create-users", 404, "NOT_FOUND"),
    ],
)
def test_what_is_not_documented_is_not_served(caller: Caller, method: str, path: str, status: int, code: str) -> None:
    """Any other route or method is refused like the rest, with an error_code."""
    answer = caller.send(method, path, GOOD)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("existing", "status", "body"),
    [
        (Existing.CONFLICT, 409, {"error_code": "USER_EXISTS", "message": "a user with this email already exists"}),
        (
            Existing.BAD_REQUEST,
            400,
            {"error_code": "INVALID_REQUEST", "message": "a user with this email already exists"},
        ),
        (Existing.UNPROCESSABLE, 422, {"detail": "User already exists"}),
    ],
)
def test_an_existing_user_is_refused(existing: Existing, status: int, body: dict[str, str]) -> None:
    """A user that exists is refused in each of the ways one may guess, whatever the case, and keeps its key."""
    with serve(_accounts(existing)) as base_url:
        caller = Caller(base_url)
        first = caller.create().json()["api_key"]
        answer = caller.create(INTERNAL_EMAIL.upper())
        assert (answer.status_code, answer.json()) == (status, body)
        assert first not in answer.text
        assert caller.balance(first).status_code == 200


def test_an_existing_user_can_get_its_key_again() -> None:
    """Told to, the simulator answers for a user that exists with the same user and key."""
    with serve(_accounts(Existing.SAME_KEY)) as base_url:
        caller = Caller(base_url)
        assert caller.create().json() == caller.create().json()


def test_an_existing_user_can_get_a_new_key() -> None:
    """Told to, the simulator gives a user that exists a new key, and the old one stops working."""
    with serve(_accounts(Existing.NEW_KEY)) as base_url:
        caller = Caller(base_url)
        first, second = caller.create().json(), caller.create().json()
        assert (first["id"], first["email"]) == (second["id"], second["email"])
        assert [caller.balance(user["api_key"]).status_code for user in (first, second)] == [401, 200]


@pytest.mark.parametrize("existing", Existing)
def test_an_accounts_own_address_exists(existing: Existing) -> None:
    """An address that is an account's is never another user, and its key is never handed out."""
    with serve(_accounts(existing)) as base_url:
        answers = [Caller(base_url).create(email) for email in (ORCHESTRATOR.upper(), PLAIN)]
        assert [answer.status_code // 100 for answer in answers] == [4, 4]
        assert all("exists" in answer.text and "of_" not in answer.text for answer in answers)


@pytest.mark.parametrize(
    "second", [Account(ORCHESTRATOR.title(), "of_another"), Account("ann@orchestrator.com", PROVISIONER_KEY)]
)
def test_two_accounts_that_are_one_are_refused(second: Account) -> None:
    """Neither an address nor a key is two accounts'; the error shows no key."""
    with pytest.raises(ValueError, match=r"two accounts|one key") as caught:
        Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY), second])
    assert "of_" not in str(caught.value)


@pytest.mark.parametrize(("ids", "kind"), [(Ids.NUMBER, int), (Ids.STRING, str)])
def test_ids_are_of_the_chosen_kind(ids: Ids, kind: type) -> None:
    """A user's id is a number or a string, as chosen."""
    with serve(_accounts(ids=ids)) as base_url:
        assert type(Caller(base_url).create().json()["id"]) is kind


def test_users_outlive_a_restart(tmp_path: Path) -> None:
    """With a data file a user and its key are still known after a restart."""
    data = tmp_path / "users.json"
    with serve(_accounts(data=data)) as base_url:
        key = Caller(base_url).create().json()["api_key"]
    with serve(_accounts(data=data)) as base_url:
        caller = Caller(base_url)
        assert caller.balance(key).status_code == 200
        assert caller.create().status_code == 409
        assert caller.create("bob@orchestrator.com").json()["id"] == 2


def test_a_user_is_a_line_of_the_data_file(tmp_path: Path) -> None:
    """A new user, and a new key, are added to the file, of which nothing is written again; the last key counts."""
    data = tmp_path / "users.jsonl"
    with serve(_accounts(Existing.NEW_KEY, data=data)) as base_url:
        users = [
            Caller(base_url).create(email).json() for email in (INTERNAL_EMAIL, "bob@orchestrator.com", INTERNAL_EMAIL)
        ]
        for line, user in zip(data.read_text().splitlines(), users, strict=True):
            assert json.loads(line) == user
    with serve(_accounts(data=data)) as base_url:
        assert [Caller(base_url).balance(user["api_key"]).status_code for user in users] == [401, 200, 200]


def test_users_in_memory_do_not_outlive_a_restart(tmp_path: Path) -> None:
    """Without a data file a restart forgets the users, and no file is left."""
    for _ in range(2):
        with serve(_accounts()) as base_url:
            assert Caller(base_url).create().status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_the_data_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The data file, which holds keys, can be read by its owner only, and nothing is left beside it."""
    data = tmp_path / "users.json"
    data.touch()
    data.chmod(0o644)
    with serve(_accounts(data=data)) as base_url:
        key = Caller(base_url).create().json()["api_key"]
    assert key in data.read_text()
    assert stat.S_IMODE(data.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [data]


def test_a_shown_account_or_user_hides_its_key(caller: Caller, accounts: Accounts) -> None:
    """Neither an account's repr nor a user's shows the key."""
    key = caller.create().json()["api_key"]
    assert PROVISIONER_KEY not in repr(Account(ORCHESTRATOR, PROVISIONER_KEY))
    assert key not in repr(accounts.users)
