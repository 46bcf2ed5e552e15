"""The local OpenFunnel going wrong on purpose."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from pulumi_openfunnel.simulator import Accounts, Fault, Faults, serve

from ..servers import INTERNAL_EMAIL, PROVISIONER_KEY
from .simulated import CREATE_USER, asked, balance, create, read, wait_for


class TestKinds:
    """Each kind of fault, as the first request meets it."""

    @pytest.mark.parametrize(
        ("fault", "status", "header", "body"),
        [
            ("429", 429, None, {"error_code": "RATE_LIMITED", "details": {"retry_after_seconds": 1.5}}),
            ("429-header", 429, "2", {"error_code": "RATE_LIMITED"}),
            ("429-long", 429, None, {"error_code": "RATE_LIMITED", "details": {"retry_after_seconds": 3600}}),
            ("500", 500, None, {"error_code": "INTERNAL_ERROR"}),
            ("503", 503, "2", {"error_code": "SERVICE_UNAVAILABLE"}),
            ("408", 408, None, {"error_code": "REQUEST_TIMEOUT"}),
            ("425", 425, None, {"error_code": "TOO_EARLY"}),
            ("401", 401, None, {"error_code": "UNAUTHORIZED"}),
            ("403", 403, None, {"error_code": "FORBIDDEN"}),
        ],
    )
    def test_an_error_before_the_work_creates_nobody(
        self, *, accounts: Accounts, fault: str, status: int, header: str | None, body: dict[str, Any]
    ) -> None:
        """It has its status, its JSON and perhaps a Retry-After; there is no user."""
        with serve(accounts, faults=Faults({1: Fault(fault)}, retry_after=1.5)) as base_url:
            answer = create(base_url)
        assert (answer.status_code, answer.headers.get("Retry-After"), answer.json()) == (status, header, body)
        assert accounts.users == []

    @pytest.mark.parametrize(
        ("fault", "status", "challenge"),
        [
            ("502-html", 502, None),
            ("401-html", 401, "WWW-Authenticate"),
            ("403-html", 403, None),
            ("407-html", 407, "Proxy-Authenticate"),
        ],
    )
    def test_somebody_elses_page_is_html(
        self, accounts: Accounts, fault: str, status: int, challenge: str | None
    ) -> None:
        """A gateway's, a firewall's or a proxy's page is HTML, without an error_code, and creates nobody."""
        with serve(accounts, faults=Faults({1: Fault(fault)})) as base_url:
            answer = create(base_url)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert [name for name in answer.headers if name.endswith("-authenticate")] == (
            [challenge.lower()] if challenge else []
        )
        assert "<html>" in answer.text
        assert "error_code" not in answer.text
        assert accounts.users == []

    @pytest.mark.parametrize("seconds", [0.5, 90])
    def test_a_503_may_name_a_date(self, accounts: Accounts, seconds: float) -> None:
        """Its Retry-After is an HTTP date, not before the seconds are over, and within a second of it."""
        with serve(accounts, faults=Faults({1: Fault.UNAVAILABLE_UNTIL}, retry_after=seconds)) as base_url:
            began = time.time()
            answer = create(base_url)
            ended = time.time()
        assert (answer.status_code, answer.json()) == (503, {"error_code": "SERVICE_UNAVAILABLE"})
        assert answer.headers["Retry-After"].endswith(" GMT")
        at = parsedate_to_datetime(answer.headers["Retry-After"]).timestamp()
        assert began + seconds <= at <= ended + seconds + 1
        assert accounts.users == []

    def test_the_seconds_of_a_429_are_one_by_default(self, accounts: Accounts) -> None:
        """Unless told otherwise a 429 asks to wait for the whole number 1."""
        with serve(accounts, faults=Faults({1: Fault.RATE_LIMITED})) as base_url:
            assert '"retry_after_seconds":1}' in create(base_url).text

    def test_an_error_after_the_work_loses_the_key(self, accounts: Accounts) -> None:
        """The user exists, and the 500 does not show the key."""
        with serve(accounts, faults=Faults({1: Fault.ERROR_AFTER})) as base_url:
            answer = create(base_url)
        assert (answer.status_code, answer.json()) == (500, {"error_code": "INTERNAL_ERROR"})
        assert [user.email for user in accounts.users] == [INTERNAL_EMAIL]

    @pytest.mark.parametrize(("fault", "users"), [(Fault.DROP_BEFORE, 0), (Fault.DROP_AFTER, 1)])
    def test_a_dropped_connection_brings_no_byte(
        self, capfd: pytest.CaptureFixture[str], accounts: Accounts, fault: Fault, users: int
    ) -> None:
        """The connection ends without an answer, before the work or after it, and the log says just that."""
        with serve(accounts, log=True, faults=Faults({1: fault})) as base_url:
            with asked(base_url) as wire:
                assert read(wire) == b""
            assert len(accounts.users) == users
            assert create(base_url, "bob@orchestrator.com").status_code == 200
        lines = [f"POST {CREATE_USER} -> no answer", f"POST {CREATE_USER} -> 200"]
        assert capfd.readouterr().err.splitlines() == lines

    def test_half_a_body_promises_the_whole(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """The Content-Length is that of the right answer, of which the first half comes."""
        with serve(accounts, faults=Faults({1: Fault.HALF_BODY})) as base_url, asked(base_url) as wire:
            head, _, body = read(wire).partition(b"\r\n\r\n")
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
            with asked(base_url) as wire:
                received = b""
                while len(received) < 4_000_000:
                    received += wire.recv(65536)
                assert create(base_url, "bob@orchestrator.com").status_code == 200
            assert create(base_url, "carol@orchestrator.com").status_code == 200
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
            answer = create(base_url)
        assert answer.json()["api_key"] == accounts.users[0].api_key
        assert time.monotonic() - began > 0.003 * len(answer.content)

    def test_garbage_is_no_json(self, accounts: Accounts) -> None:
        """The user exists, and its 200 cannot be read."""
        with serve(accounts, faults=Faults({1: Fault.GARBAGE})) as base_url:
            answer = create(base_url)
        with pytest.raises(ValueError, match=r"."):
            answer.json()
        assert (answer.status_code, len(accounts.users)) == (200, 1)

    def test_a_held_answer_comes_after_its_work(self, accounts: Accounts) -> None:
        """The user exists at once; its right answer comes when the hold is over."""
        with serve(accounts, faults=Faults({1: Fault.HOLD}, hold=0.5)) as base_url, asked(base_url) as wire:
            wait_for(lambda: accounts.users)
            assert select.select([wire], [], [], 0) == ([], [], [])
            answer = wire.recv(65536)
            while accounts.users[0].api_key.encode() not in answer:
                answer += wire.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")

    def test_a_refusal_stays_one(self, accounts: Accounts) -> None:
        """What would be refused is refused under a fault that damages the body alone."""
        faults = Faults({1: Fault.TRICKLE, 2: Fault.GARBAGE}, pace=0)
        with serve(accounts, faults=faults) as base_url:
            assert [create(base_url, "alice@other.com").status_code for _ in range(2)] == [403, 403]
        assert accounts.users == []


class TestChoice:
    """Which request goes wrong."""

    def test_only_create_user_counts(self, accounts: Accounts) -> None:
        """Balance requests are neither counted nor disturbed."""
        with serve(accounts, faults=Faults({1: Fault.ERROR}, seed=1, rate=1, kinds=[Fault.ERROR])) as base_url:
            assert [balance(base_url, PROVISIONER_KEY).status_code for _ in range(3)] == [200, 200, 200]
            assert create(base_url).status_code == 500

    def test_every_create_user_counts(self, accounts: Accounts) -> None:
        """A request that is refused is a request; the first one after it is the second."""
        with serve(accounts, faults=Faults({2: Fault.RATE_LIMITED})) as base_url:
            answers = [create(base_url, **{"X-API-Key": "of_nobody"}), create(base_url), create(base_url)]
        assert [answer.status_code for answer in answers] == [401, 429, 200]

    def test_each_server_counts_from_one(self, accounts: Accounts) -> None:
        """The script starts anew with the server, though the accounts are the same."""
        for _ in range(2):
            with serve(accounts, faults=Faults({1: Fault.ERROR})) as base_url:
                assert create(base_url).status_code == 500

    def test_a_seed_chooses_the_same_for_ever(self) -> None:
        """The choice depends on seed and number alone, on every machine and in any order."""
        faults = Faults(seed=7, rate=0.3)
        chosen = [fault and fault.value for fault in map(faults.of, range(1, 9))]
        assert chosen == [None, None, "503-date", "429", None, None, "503-date", "407-html"]
        again = Faults(seed=7, rate=0.3)
        assert [again.of(number) for number in reversed(range(1, 500))] == [
            faults.of(number) for number in reversed(range(1, 500))
        ]
        assert [Faults(seed=8, rate=0.3).of(number) for number in range(1, 500)] != [
            faults.of(number) for number in range(1, 500)
        ]

    def test_the_rate_is_kept(self) -> None:
        """About as many requests go wrong as were asked for, in every kind that passes; none at 0 and all at 1."""
        chosen = [Faults(seed=1, rate=0.3).of(number) for number in range(1, 3001)]
        assert 800 < sum(fault is not None for fault in chosen) < 1000
        assert set(chosen) == {*(fault for fault in Fault if fault.passes), None}
        assert {Faults(seed=1, rate=0).of(number) for number in range(1, 100)} == {None}
        assert None not in {Faults(seed=1, rate=1).of(number) for number in range(1, 100)}

    def test_what_does_not_pass_is_chosen_by_name_alone(self) -> None:
        """A refusal of OpenFunnel's own, and a very long wait, come by script, or where the kinds name them."""
        final = [fault for fault in Fault if not fault.passes]
        assert [fault.value for fault in final] == ["429-long", "401", "403"]
        assert {Faults(seed=1, rate=1, kinds=final).of(number) for number in range(1, 100)} == set(final)
        assert Faults({1: Fault.UNAUTHORIZED}).of(1) is Fault.UNAUTHORIZED

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
            statuses = [answer.status_code for answer in pool.map(lambda email: create(base_url, email), emails)]
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
            lambda: Faults(seed=1),
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
