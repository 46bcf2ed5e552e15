"""The simulator as a running server."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .accounts import Accounts
from .app import build

HOST = "127.0.0.1"


@contextlib.contextmanager
def serve(accounts: Accounts, port: int = 0, *, log: bool = False) -> Iterator[str]:
    """Serve these accounts on a loopback port until the context ends.

    Args:
        accounts: what the server knows.
        port: the TCP port; 0 lets the system choose one.
        log: whether to print a line for each request to standard error.

    Yields:
        The base URL, such as ``"http://127.0.0.1:49152"``.

    Raises:
        OSError: when the port cannot be had.
    """
    app: ASGIApp = build(accounts)
    server = uvicorn.Server(
        uvicorn.Config(_RequestLog(app) if log else app, log_level="error", access_log=False, lifespan="off")
    )
    with socket.socket() as listener:
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


class _RequestLog:
    """Prints method, path and status of each request: no header and no body, so no key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                print(f"{scope['method']} {scope['path']} -> {message['status']}", file=sys.stderr, flush=True)  # noqa: T201
            await send(message)

        await self._app(scope, receive, tell)
