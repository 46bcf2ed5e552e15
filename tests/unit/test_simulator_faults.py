"""The local OpenFunnel going wrong on purpose, and its own record of what it did."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from pulumi_openfunnel.__main__ import main
from pulumi_openfunnel.simulator import Account, Accounts, Existing, Fault, Faults, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY

CREATE_USER = "/api/v1/admin/create-user"
HEADERS = {"X-API-Key": PROVISIONER_KEY, "X-User-ID": ORCHESTRATOR}
WORKING = [fault for fault in Fault if not fault.before_work]


@pytest.fixture
def accounts() -> Accounts:
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)])


def _create(base_url: str, email: str = INTERNAL_EMAIL, **headers: str) -> httpx.Response:
    body = {"email": email}
    return httpx.post(base_url + CREATE_USER, json=body, headers=HEADERS | headers, trust_env=False, verify=False)


def _balance(base_url: str, api_key: str) -> httpx.Response:
    headers = {"X-API-Key": api_key}
    return httpx.get(f"{base_url}/api/v1/credits/balance", headers=headers, trust_env=False, verify=False)


@contextlib.contextmanager
def _asked(base_url: str, body: str | None = None) -> Iterator[socket.socket]:
    """A connection over which a create-user request went out; a body given is less than what was promised."""
    whole = json.dumps({"email": INTERNAL_EMAIL})
    lines = [f"POST {CREATE_USER} HTTP/1.1", "Host: simulator", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(whole)}", *(f"{name}: {value}" for name, value in HEADERS.items())]
    with socket.create_connection((urlsplit(base_url).hostname, urlsplit(base_url).port or 0), timeout=20) as wire:
        wire.sendall(("\r\n".join([*lines, "", ""]) + (whole if body is None else body)).encode())
        yield wire


def _read(wire: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := wire.recv(65536):
            received += part
    return received


def _wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class TestKinds:
    """Each kind of fault, as the first request meets it."""

    @pytest.mark.parametrize(
        ("fault", "status", "header", "body"),
        [
            ("429", 429, None, {"error_code": "RATE_LIMITED", "details": {"retry_after_seconds": 1.5}}),
            ("429-header", 429, "2", {"error_code": "RATE_LIMITED"}),
            ("500", 500, None, {"error_code": "INTERNAL_ERROR"}),
        ],
    )
    def test_an_error_before_the_work_creates_nobody(
        self, *, accounts: Accounts, fault: str, status: int, header: str | None, body: dict[str, Any]
    ) -> None:
        """It has its status, its JSON and perhaps a Retry-After; there is no user."""
        with serve(accounts, faults=Faults({1: Fault(fault)}, retry_after=1.5)) as base_url:
            answer = _create(base_url)
        assert (answer.status_code, answer.headers.get("Retry-After"), answer.json()) == (status, header, body)
        assert accounts.users == []

    def test_a_gateway_answers_in_html(self, accounts: Accounts) -> None:
        """A 502 is HTML and creates nobody."""
        with serve(accounts, faults=Faults({1: Fault.BAD_GATEWAY})) as base_url:
            answer = _create(base_url)
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
        assert "<html>" in answer.text
        assert accounts.users == []

    def test_the_seconds_of_a_429_are_one_by_default(self, accounts: Accounts) -> None:
        """Unless told otherwise a 429 asks to wait for the whole number 1."""
        with serve(accounts, faults=Faults({1: Fault.RATE_LIMITED})) as base_url:
            assert '"retry_after_seconds":1}' in _create(base_url).text

    def test_an_error_after_the_work_loses_the_key(self, accounts: Accounts) -> None:
        """The user exists, and the 500 does not show the key."""
        with serve(accounts, faults=Faults({1: Fault.ERROR_AFTER})) as base_url:
            answer = _create(base_url)
        assert (answer.status_code, answer.json()) == (500, {"error_code": "INTERNAL_ERROR"})
        assert [user.email for user in accounts.users] == [INTERNAL_EMAIL]

    @pytest.mark.parametrize(("fault", "users"), [(Fault.DROP_BEFORE, 0), (Fault.DROP_AFTER, 1)])
    def test_a_dropped_connection_brings_no_byte(
        self, capfd: pytest.CaptureFixture[str], accounts: Accounts, fault: Fault, users: int
    ) -> None:
        """The connection ends without an answer, before the work or after it, and the log says just that."""
        with serve(accounts, log=True, faults=Faults({1: fault})) as base_url:
            with _asked(base_url) as wire:
                assert _read(wire) == b""
            assert len(accounts.users) == users
            assert _create(base_url, "bob@orchestrator.com").status_code == 200
        lines = [f"POST {CREATE_USER} -> no answer", f"POST {CREATE_USER} -> 200"]
        assert capfd.readouterr().err.splitlines() == lines

    def test_half_a_body_promises_the_whole(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """The Content-Length is that of the right answer, of which the first half comes."""
        with serve(accounts, faults=Faults({1: Fault.HALF_BODY})) as base_url, _asked(base_url) as wire:
            head, _, body = _read(wire).partition(b"\r\n\r\n")
        promised = re.search(rb"content-length: (\d+)", head)
        assert promised is not None
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) == int(promised[1]) // 2
        assert body.startswith(b'{"id":1,')
        assert len(accounts.users) == 1
        assert capfd.readouterr().err == ""

    def test_an_endless_body_goes_on(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """Megabytes come in chunks, other requests are served meanwhile, and the client may go."""
        with serve(accounts, faults=Faults({1: Fault.ENDLESS})) as base_url:
            with _asked(base_url) as wire:
                received = b""
                while len(received) < 4_000_000:
                    received += wire.recv(65536)
                assert _create(base_url, "bob@orchestrator.com").status_code == 200
            assert _create(base_url, "carol@orchestrator.com").status_code == 200
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"transfer-encoding: chunked" in head.lower()
        assert set(body) <= set(b" \r\n0123456789abcdef")
        assert len(accounts.users) == 3
        assert capfd.readouterr().err == ""

    def test_a_trickle_is_the_right_answer_in_bytes(self, accounts: Accounts) -> None:
        """The right answer comes complete, and no faster than a byte for each pace."""
        began = time.monotonic()
        with serve(accounts, faults=Faults({1: Fault.TRICKLE}, pace=0.003)) as base_url:
            answer = _create(base_url)
        assert answer.json()["api_key"] == accounts.users[0].api_key
        assert time.monotonic() - began > 0.003 * len(answer.content)

    def test_garbage_is_no_json(self, accounts: Accounts) -> None:
        """The user exists, and its 200 cannot be read."""
        with serve(accounts, faults=Faults({1: Fault.GARBAGE})) as base_url:
            answer = _create(base_url)
        with pytest.raises(ValueError, match=r"."):
            answer.json()
        assert (answer.status_code, len(accounts.users)) == (200, 1)

    def test_a_held_answer_comes_after_its_work(self, accounts: Accounts) -> None:
        """The user exists at once; its right answer comes when the hold is over."""
        with serve(accounts, faults=Faults({1: Fault.HOLD}, hold=0.5)) as base_url, _asked(base_url) as wire:
            _wait_for(lambda: accounts.users)
            assert select.select([wire], [], [], 0) == ([], [], [])
            answer = wire.recv(65536)
            while accounts.users[0].api_key.encode() not in answer:
                answer += wire.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")

    def test_a_refusal_stays_one(self, accounts: Accounts) -> None:
        """What would be refused is refused under a fault that damages the body alone."""
        faults = Faults({1: Fault.TRICKLE, 2: Fault.GARBAGE}, pace=0)
        with serve(accounts, faults=faults) as base_url:
            assert [_create(base_url, "alice@other.com").status_code for _ in range(2)] == [403, 403]
        assert accounts.users == []


class TestChoice:
    """Which request goes wrong."""

    def test_only_create_user_counts(self, accounts: Accounts) -> None:
        """Balance requests are neither counted nor disturbed."""
        with serve(accounts, faults=Faults({1: Fault.ERROR}, seed=1, rate=1, kinds=[Fault.ERROR])) as base_url:
            assert [_balance(base_url, PROVISIONER_KEY).status_code for _ in range(3)] == [200, 200, 200]
            assert _create(base_url).status_code == 500

    def test_every_create_user_counts(self, accounts: Accounts) -> None:
        """A request that is refused is a request; the first one after it is the second."""
        with serve(accounts, faults=Faults({2: Fault.RATE_LIMITED})) as base_url:
            answers = [_create(base_url, **{"X-API-Key": "of_nobody"}), _create(base_url), _create(base_url)]
        assert [answer.status_code for answer in answers] == [401, 429, 200]

    def test_each_server_counts_from_one(self, accounts: Accounts) -> None:
        """The script starts anew with the server, though the accounts are the same."""
        for _ in range(2):
            with serve(accounts, faults=Faults({1: Fault.ERROR})) as base_url:
                assert _create(base_url).status_code == 500

    def test_a_seed_chooses_the_same_for_ever(self) -> None:
        """The choice depends on seed and number alone, on every machine and in any order."""
        faults = Faults(seed=7, rate=0.3)
        chosen = [fault and fault.value for fault in map(faults.of, range(1, 9))]
        assert chosen == [None, None, "500-after", "500-after", None, None, "502-html", "trickle"]
        again = Faults(seed=7, rate=0.3)
        assert [again.of(number) for number in reversed(range(1, 500))] == [
            faults.of(number) for number in reversed(range(1, 500))
        ]
        assert [Faults(seed=8, rate=0.3).of(number) for number in range(1, 500)] != [
            faults.of(number) for number in range(1, 500)
        ]

    def test_the_rate_is_kept(self) -> None:
        """About as many requests go wrong as were asked for, in every kind; none at 0 and all at 1."""
        chosen = [Faults(seed=1, rate=0.3).of(number) for number in range(1, 3001)]
        assert 800 < sum(fault is not None for fault in chosen) < 1000
        assert set(chosen) == {*Fault, None}
        assert {Faults(seed=1).of(number) for number in range(1, 100)} == {None}
        assert None not in {Faults(seed=1, rate=1).of(number) for number in range(1, 100)}

    def test_the_kinds_can_be_restricted(self) -> None:
        """A seed chooses among these kinds alone, in whatever order they are given; a script may name others."""
        one, other = ([Fault.ERROR, Fault.RATE_LIMITED], [Fault.RATE_LIMITED, Fault.ERROR])
        chosen = [Faults(seed=1, rate=1, kinds=one).of(number) for number in range(1, 100)]
        assert set(chosen) == set(one)
        assert chosen == [Faults(seed=1, rate=1, kinds=other).of(number) for number in range(1, 100)]
        assert Faults({5: Fault.HOLD}, seed=1, rate=1, kinds=one).of(5) is Fault.HOLD

    def test_concurrent_requests_get_the_faults_of_their_numbers(self, accounts: Accounts) -> None:
        """Whatever the timing, the n-th to arrive gets the n-th choice, and each number is given once."""
        faults = Faults(seed=3, rate=0.5, kinds=[Fault.RATE_LIMITED, Fault.ERROR_AFTER])
        with serve(accounts, faults=faults) as base_url, ThreadPoolExecutor(8) as pool:
            emails = [f"user{number}@orchestrator.com" for number in range(60)]
            statuses = [answer.status_code for answer in pool.map(lambda email: _create(base_url, email), emails)]
        entries = accounts.record.entries
        assert sorted(entry.n for entry in entries) == list(range(1, 61))
        assert [entry.fault for entry in entries] == [faults.of(entry.n) for entry in entries]
        assert sorted(statuses) == sorted(entry.status or 0 for entry in entries)
        assert {user.email for user in accounts.users} == {entry.email for entry in entries if entry.done}

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda: Faults({0: Fault.ERROR}),
            lambda: Faults(seed=1, rate=1.1),
            lambda: Faults(rate=0.5),
            lambda: Faults(seed=1, rate=0.5, kinds=[]),
            lambda: Faults(hold=-1),
            lambda: Faults(retry_after=float("nan")),
            lambda: Faults(pace=float("inf")),
        ],
    )
    def test_what_cannot_be_is_refused(self, wrong: Callable[[], Faults]) -> None:
        """A wrong number is refused when the faults are made."""
        with pytest.raises(ValueError, match=r"counted|rate|kinds|seconds"):
            wrong()


class TestLatency:
    """A server that takes its time before it works."""

    def test_the_work_waits(self, accounts: Accounts) -> None:
        """Neither work nor answer comes before the latency is over; balances do not wait."""
        with serve(accounts, latency=0.4) as base_url, _asked(base_url) as wire:
            began = time.monotonic()
            assert _balance(base_url, PROVISIONER_KEY).status_code == 200
            assert accounts.users == []
            assert wire.recv(65536).startswith(b"HTTP/1.1 200")
            assert time.monotonic() - began > 0.3
        assert len(accounts.users) == 1

    def test_the_work_is_done_for_a_client_that_has_gone(self, accounts: Accounts) -> None:
        """A client that gives up meanwhile has its user created all the same."""
        with serve(accounts, latency=0.3) as base_url:
            with _asked(base_url):
                pass
            _wait_for(lambda: accounts.users)
        assert [(entry.done, entry.status) for entry in accounts.record.entries] == [(True, 200)]

    @pytest.mark.parametrize("latency", [-1, float("nan"), float("inf")])
    def test_what_is_no_latency_is_refused(self, accounts: Accounts, latency: float) -> None:
        """A latency is a number of seconds from 0."""
        with pytest.raises(ValueError, match="latency"), serve(accounts, latency=latency):
            pass


class TestStop:
    """The server ends promptly, whatever it is in the middle of."""

    @pytest.mark.parametrize("fault", [Fault.ENDLESS, Fault.HOLD, Fault.TRICKLE])
    def test_no_answer_delays_the_end(
        self, capfd: pytest.CaptureFixture[str], accounts: Accounts, fault: Fault
    ) -> None:
        """An answer that is under way is cut off; also one that its client does not read."""
        with contextlib.ExitStack() as wires:
            with serve(accounts, faults=Faults({1: fault}, hold=60, pace=60)) as base_url:
                wire = wires.enter_context(_asked(base_url))
                _wait_for(lambda: accounts.record.entries)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
            _read(wire)
        assert capfd.readouterr().err == ""

    def test_waiting_work_is_not_done(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """A request that still waits for its latency is neither worked on nor answered, and recorded so."""
        with contextlib.ExitStack() as wires:
            with serve(accounts, faults=Faults({1: Fault.ERROR}), latency=60) as base_url:
                wire = wires.enter_context(_asked(base_url))
                _balance(base_url, PROVISIONER_KEY)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
            assert _read(wire) == b""
        (entry,) = accounts.record.entries
        assert (entry.n, entry.email, entry.fault, entry.status, entry.done) == (1, INTERNAL_EMAIL, None, None, False)
        assert capfd.readouterr().err == ""

    def test_half_a_request_does_not_delay_the_end(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """A request whose body never comes is cut off and recorded as unanswered."""
        with contextlib.ExitStack() as wires:
            with serve(accounts) as base_url:
                wires.enter_context(_asked(base_url, body='{"em'))
                _balance(base_url, PROVISIONER_KEY)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
        assert [(entry.email, entry.status, entry.done) for entry in accounts.record.entries] == [(None, None, False)]
        assert capfd.readouterr().err == ""


class TestRecord:
    """What the server itself knows it did."""

    @pytest.mark.parametrize("fault", WORKING)
    def test_work_is_recorded_whatever_becomes_of_its_answer(self, accounts: Accounts, fault: Fault) -> None:
        """The entry has the key that was issued, though the answer may have lost it."""
        statuses = {Fault.ERROR_AFTER: 500, Fault.DROP_AFTER: None}
        began = time.time()
        with serve(accounts, faults=Faults({1: fault}, hold=60, pace=60)) as base_url, _asked(base_url):
            _wait_for(lambda: accounts.record.entries)
        (entry,) = accounts.record.entries
        assert (entry.n, entry.email, entry.account) == (1, INTERNAL_EMAIL, ORCHESTRATOR)
        assert (entry.fault, entry.status, entry.done) == (fault, statuses.get(fault, 200), True)
        assert entry.key == accounts.users[0].api_key
        assert began <= entry.at <= time.time()
        assert entry.key not in repr(entry)

    def test_what_came_to_nothing_is_recorded_too(self) -> None:
        """Refused, faulty and existing: no work and no key; a key handed out again is work."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts, faults=Faults({2: Fault.BAD_GATEWAY})) as base_url:
            _create(base_url, "alice@other.com")
            _create(base_url)
            _create(base_url, **{"X-API-Key": "of_nobody"})
            _create(base_url, "of_no_address")
            key = _create(base_url).json()["api_key"]
            _create(base_url)
        rows = [(entry.email, entry.account, entry.status, entry.done, entry.key) for entry in accounts.record.entries]
        assert rows == [
            ("alice@other.com", ORCHESTRATOR, 403, False, None),
            (INTERNAL_EMAIL, ORCHESTRATOR, 502, False, None),
            (INTERNAL_EMAIL, None, 401, False, None),
            (None, ORCHESTRATOR, 400, False, None),
            (INTERNAL_EMAIL, ORCHESTRATOR, 200, True, key),
            (INTERNAL_EMAIL, ORCHESTRATOR, 200, True, key),
        ]

    def test_the_file_has_a_line_before_the_answer(self, tmp_path: Path) -> None:
        """The line is there while the answer is held back, after those of an earlier server, its owner's alone."""
        file = tmp_path / "record.jsonl"
        file.write_text('{"n": 1}\n')
        file.chmod(0o644)
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], record=file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with serve(accounts, faults=Faults({1: Fault.HOLD}, hold=60)) as base_url, _asked(base_url):
            _wait_for(lambda: accounts.record.entries)
            _wait_for(lambda: file.read_text().count("\n") == 2)
        row = json.loads(file.read_text().splitlines()[1])
        assert 0 < row.pop("at") <= time.time()
        assert row == {
            "n": 1,
            "email": INTERNAL_EMAIL,
            "account": ORCHESTRATOR,
            "fault": "hold",
            "status": 200,
            "done": True,
            "key": accounts.users[0].api_key,
        }


class TestRevoke:
    """A user's key that stops working."""

    def test_a_revoked_key_is_a_strangers(self) -> None:
        """Its balance is refused, and create-user hands out that key again; other keys work."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts) as base_url:
            key = _create(base_url).json()["api_key"]
            other = _create(base_url, "bob@orchestrator.com").json()["api_key"]
            accounts.revoke(INTERNAL_EMAIL.upper())
            assert _create(base_url).json()["api_key"] == key
            assert [_balance(base_url, each).status_code for each in (key, other)] == [401, 200]

    def test_a_new_key_works_again(self) -> None:
        """A user whose key was revoked gets a new one that works, where create-user gives new keys."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.NEW_KEY)
        old = accounts.create(INTERNAL_EMAIL).api_key
        accounts.revoke(INTERNAL_EMAIL)
        new = accounts.create(INTERNAL_EMAIL).api_key
        assert [accounts.balance(key) is None for key in (old, new)] == [True, False]

    def test_nobody_has_no_key_to_revoke(self, accounts: Accounts) -> None:
        """A user that does not exist is said so."""
        with pytest.raises(KeyError, match="nobody@"):
            accounts.revoke("nobody@orchestrator.com")


class TestCommand:
    """The flags of ``python -m pulumi_openfunnel simulator``."""

    def test_faults_and_record_are_asked_for_by_flags(self, tmp_path: Path) -> None:
        """Script, seed, seconds and record do what they say; a killed simulator's record is complete."""
        file = tmp_path / "record.jsonl"
        flags = ["--port", "0", "--orchestrator", f"{ORCHESTRATOR}={PROVISIONER_KEY}", "--record", str(file)]
        flags += ["--fault", "1=429", "--fault", "2=500-after", "--retry-after", "0.25", "--latency", "0.01"]
        flags += ["--fault-seed", "9", "--fault-rate", "1", "--fault-kinds", "hold", "--hold", "60", "--log"]
        with subprocess.Popen(
            [sys.executable, "-m", "pulumi_openfunnel", "simulator", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                limited, failed = (_create(base_url) for _ in range(2))
                with _asked(base_url):
                    _wait_for(lambda: file.read_text().count("\n") == 3)
                    process.send_signal(signal.SIGKILL)
                    out, log = process.communicate(timeout=30)
            finally:
                process.kill()
        assert limited.json()["details"] == {"retry_after_seconds": 0.25}
        assert failed.status_code == 500
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(row["fault"], row["status"], row["done"]) for row in rows] == [
            ("429", 429, False),
            ("500-after", 500, True),
            ("hold", 409, False),
        ]
        assert rows[1]["key"].startswith("of_")
        assert "of_" not in out + log

    def test_a_held_answer_does_not_keep_it_alive(self) -> None:
        """SIGTERM ends it with 0, promptly and without a word, while an answer is held back."""
        flags = ["--port", "0", "--orchestrator", f"{ORCHESTRATOR}={PROVISIONER_KEY}", "--fault", "1=hold"]
        with subprocess.Popen(
            [sys.executable, "-m", "pulumi_openfunnel", "simulator", *flags, "--hold", "60"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                with _asked(base_url):
                    _balance(base_url, PROVISIONER_KEY)
                    process.send_signal(signal.SIGTERM)
                    assert process.communicate(timeout=10) == ("", "")
            finally:
                process.kill()
        assert process.returncode == 0

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--fault", "429"], r"N=KIND"),
            (["--fault", "0=429"], r"counted from 1"),
            (["--fault", "x=429"], r"N=KIND"),
            (["--fault", "1=teapot"], r"kinds of faults are 429, .*, hold"),
            (["--fault", "1=429", "--fault", "1=500"], r"request 1 two faults"),
            (["--fault-seed", "1"], r"belong together"),
            (["--fault-rate", "0.5"], r"belong together"),
            (["--fault-seed", "x", "--fault-rate", "0.5"], r"--fault-seed is a whole number"),
            (["--fault-seed", "1", "--fault-rate", "1.5"], r"--fault-rate is a number from 0 to 1"),
            (["--fault-seed", "1", "--fault-rate", "nan"], r"--fault-rate is a number from 0 to 1"),
            (["--fault-seed", "1", "--fault-rate", "1", "--fault-kinds", ""], r"kinds of faults are"),
            (["--fault-kinds", "429"], r"--fault-kinds needs"),
            (["--hold", "-1"], r"--hold is a number from 0"),
            (["--retry-after", "soon"], r"--retry-after is a number from 0"),
            (["--latency", "inf"], r"--latency is a number from 0"),
            (["--record", "/nowhere/record.jsonl"], r"No such file or directory"),
        ],
    )
    def test_a_wrong_value_is_one_line(self, capsys: pytest.CaptureFixture[str], flags: list[str], said: str) -> None:
        """A wrong value is said in one line, with status 1."""
        assert main(["simulator", "--port", "0", *flags]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(rf"simulator: .*{said}.*\n", err)

    def test_the_help_names_every_kind(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What --fault takes can be read in the help."""
        with pytest.raises(SystemExit):
            main(["simulator", "--help"])
        words = set(re.split(r"[\s,]+", capsys.readouterr().out))
        assert {fault.value for fault in Fault} <= words
