"""The simulator as a running server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator

from .accounts import Accounts
from .app import App
from .connection import Connection, Head, HungUp
from .create_user import CreateUser
from .faults import Faults, check_seconds

HOST = "127.0.0.1"
_LOOK = 0.1  # seconds between two looks whether a server that starts is still there
_BACKLOG = 1024  # connections that nobody has taken up yet


@contextlib.contextmanager
def serve(
    accounts: Accounts, port: int = 0, *, log: bool = False, faults: Faults | None = None, latency: float = 0.0
) -> Iterator[str]:
    """Serve these accounts on a loopback port until the context ends.

    Args:
        accounts: what the server knows.
        port: the TCP port; 0 lets the system choose one.
        log: whether to print a line for each request to standard error: no header and no body, so no key.
        faults: which create-user request goes wrong, and how; None for none.
        latency: seconds between a create-user request and the work for it.

    Yields:
        The base URL, such as ``"http://127.0.0.1:49152"``.

    Raises:
        OSError: when the port cannot be had.
        ValueError: when the latency is no number of seconds.
    """
    check_seconds("latency", latency)
    app = App(accounts, CreateUser(accounts, faults or Faults(), latency))
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        server = _Server(app, log=log)
        thread = threading.Thread(target=asyncio.run, args=[server.run(listener)], daemon=True)
        thread.start()
        while not server.started.wait(_LOOK):
            if not thread.is_alive():
                raise OSError("the server did not start")
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()


class _Server:
    """Talks to every client, each in a task of its own, until it is stopped."""

    def __init__(self, app: App, *, log: bool) -> None:
        self.started = threading.Event()
        self._app = app
        self._log = log
        self._conversations: set[asyncio.Task[None]] = set()

    async def run(self, listener: socket.socket) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, sock=listener, backlog=_BACKLOG)
        self.started.set()
        await self._stopping.wait()
        server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def stop(self) -> None:
        """End at once, from another thread: an answer may be held back, or have no end."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = self._loop.create_task(self._converse(Connection(reader, writer)))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, connection: Connection) -> None:
        """Answer one request after the other."""
        with contextlib.closing(connection):
            try:
                while True:
                    await self._exchange(await connection.head(), connection)
                    connection.next()
            except HungUp:
                pass
            except asyncio.CancelledError:  # the server stops
                connection.abort()

    async def _exchange(self, head: Head, connection: Connection) -> None:
        reply = None
        try:
            reply = await self._app.reply(head, connection)
            await reply.send(connection)
        finally:
            if self._log:
                outcome = reply.status if reply and connection.begun else "no answer"
                print(f"{head.method} {head.path} -> {outcome}", file=sys.stderr, flush=True)  # noqa: T201
