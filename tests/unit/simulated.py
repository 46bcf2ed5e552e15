"""A simulator's clients: over httpx, and over a bare socket."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from pulumi_openfunnel.simulator import Fault

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY

CREATE_USER = "/api/v1/admin/create-user"
HEADERS = {"X-API-Key": PROVISIONER_KEY, "X-User-ID": ORCHESTRATOR}
WORKING = [fault for fault in Fault if not fault.before_work]


def create(base_url: str, email: str = INTERNAL_EMAIL, **headers: str) -> httpx.Response:
    body = {"email": email}
    return httpx.post(base_url + CREATE_USER, json=body, headers=HEADERS | headers, trust_env=False, verify=False)


def balance(base_url: str, api_key: str) -> httpx.Response:
    headers = {"X-API-Key": api_key}
    return httpx.get(f"{base_url}/api/v1/credits/balance", headers=headers, trust_env=False, verify=False)


def connected(base_url: str) -> socket.socket:
    """A connection over which nothing went yet."""
    return socket.create_connection((urlsplit(base_url).hostname, urlsplit(base_url).port or 0), timeout=20)


@contextlib.contextmanager
def asked(base_url: str, body: str | None = None) -> Iterator[socket.socket]:
    """A connection over which a create-user request went out; a body given is less than what was promised."""
    whole = json.dumps({"email": INTERNAL_EMAIL})
    lines = [f"POST {CREATE_USER} HTTP/1.1", "Host: simulator", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(whole)}", *(f"{name}: {value}" for name, value in HEADERS.items())]
    with connected(base_url) as wire:
        wire.sendall(("\r\n".join([*lines, "", ""]) + (whole if body is None else body)).encode())
        yield wire


def read(wire: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := wire.recv(65536):
            received += part
    return received


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
