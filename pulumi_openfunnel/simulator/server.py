"""The simulator as a running server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import sys
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .accounts import Accounts
from .app import build
from .connection import Connection
from .create_user import CreateUser
from .faults import Faults

HOST = "127.0.0.1"


@contextlib.contextmanager
def serve(
    accounts: Accounts, port: int = 0, *, log: bool = False, faults: Faults | None = None, latency: float = 0.0
) -> Iterator[str]:
    """Serve these accounts on a loopback port until the context ends.

    Args:
        accounts: what the server knows.
        port: the TCP port; 0 lets the system choose one.
        log: whether to print a line for each request to standard error.
        faults: which create-user request goes wrong, and how; None for none.
        latency: seconds between a create-user request and the work for it.

    Yields:
        The base URL, such as ``"http://127.0.0.1:49152"``.

    Raises:
        OSError: when the port cannot be had.
        ValueError: when the latency is no number of seconds.
    """
    if not 0 <= latency < math.inf:
        raise ValueError("the latency is a number of seconds from 0")
    stopping = asyncio.Event()
    app: ASGIApp = build(accounts, CreateUser(accounts, faults or Faults(), latency, stopping))
    server = _Server(_RequestLog(app) if log else app, stopping)
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Tells the application that it stops."""

    def __init__(self, app: ASGIApp, stopping: asyncio.Event) -> None:
        super().__init__(uvicorn.Config(app, http=Connection, log_level="error", access_log=False, lifespan="off"))
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


class _RequestLog:
    """Prints method, path and status of each request: no header and no body, so no key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _print(scope, str(message["status"]))
            await send(message)

        await self._app(scope, receive, tell)
        if not started:
            _print(scope, "no answer")


def _print(scope: Scope, outcome: str) -> None:
    print(f"{scope['method']} {scope['path']} -> {outcome}", file=sys.stderr, flush=True)  # noqa: T201
