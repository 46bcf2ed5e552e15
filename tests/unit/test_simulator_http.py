"""The local OpenFunnel's HTTP, as clients of all kinds speak it."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from pulumi_openfunnel.simulator import Accounts

from ..servers import INTERNAL_EMAIL, PROVISIONER_KEY
from .simulated import CREATE_USER, HEADERS, balance, connected, read

GET = b"GET /api/v1/credits/balance HTTP/1.1\r\nHost: simulator\r\nX-API-Key: " + PROVISIONER_KEY.encode() + b"\r\n"
POST = f"POST {CREATE_USER} HTTP/1.1\r\nHost: simulator\r\nContent-Type: application/json\r\n".encode()
POST += "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode()
ALICE = json.dumps({"email": INTERNAL_EMAIL}).encode()
LENGTH = f"Content-Length: {len(ALICE)}\r\n".encode()


def _answers(base_url: str, said: bytes) -> bytes:
    """All that the server says to these bytes, until it ends the connection."""
    with connected(base_url) as wire:
        wire.sendall(said)
        return read(wire)


def test_a_connection_carries_one_request_after_the_other(api: str) -> None:
    """Also such as come at once; it ends when the client asks for that."""
    said = _answers(api, GET + b"\r\n" + POST + LENGTH + b"\r\n" + ALICE + GET + b"Connection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200") == 3
    assert said.count(b"total_credits") == 2


def test_a_body_may_come_in_chunks(api: str, accounts: Accounts) -> None:
    """A request without a Content-Length creates its user."""
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (ALICE[:9], ALICE[9:]))
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert _answers(api, head + chunks + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert [user.email for user in accounts.users] == [INTERNAL_EMAIL]


def test_a_client_may_ask_before_it_sends_the_body(api: str) -> None:
    """Expect: 100-continue is answered while the body is still to come."""
    with connected(api) as wire:
        wire.sendall(POST + LENGTH + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 100 ")
        wire.sendall(ALICE)
        assert read(wire).startswith(b"HTTP/1.1 200 ")


def test_an_old_client_is_answered_and_left(api: str) -> None:
    """HTTP/1.0 has its answer, and the connection ends."""
    said = _answers(api, GET.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n")
    assert b" 200 " in said.partition(b"\r\n")[0]
    assert b"total_credits" in said


@pytest.mark.parametrize(
    "said",
    [
        b"of_no_http\r\n\r\n",
        GET + b"no header\r\n\r\n",
        GET.replace(b"Host: simulator\r\n", b"") + b"\r\n",
        b"\x16\x03",
    ],
)
def test_what_is_no_http_is_refused(capfd: pytest.CaptureFixture[str], api: str, said: bytes) -> None:
    """It gets a 400, the connection ends, and the server lives."""
    with connected(api) as wire:
        wire.sendall(said)
        wire.shutdown(socket.SHUT_WR)
        got = read(wire)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b"of_" not in got
    assert balance(api, PROVISIONER_KEY).status_code == 200
    assert capfd.readouterr().err == ""


def test_answers_are_dated_json(api: str) -> None:
    """An answer has a date, its length and its media type."""
    answer = balance(api, PROVISIONER_KEY)
    assert abs(parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()) < 60
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_wrong_method_names_the_right_one(api: str) -> None:
    """A 405 says what the route takes."""
    assert httpx.delete(api + CREATE_USER, trust_env=False, verify=False).headers["Allow"] == "POST"


def test_many_clients_at_once_are_served(api: str) -> None:
    """A hundred connections that are open at the same time each have their answer."""
    with contextlib.ExitStack() as wires:
        opened = [wires.enter_context(connected(api)) for _ in range(100)]
        for wire in opened:
            wire.sendall(GET + b"\r\n")
        assert all(wire.recv(65536).startswith(b"HTTP/1.1 200") for wire in opened)
