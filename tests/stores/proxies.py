"""Proxies that stand before a store and do what networks and clouds do: lose a reply, delay, answer 503, or cut."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 60.0  # seconds for the server behind


@dataclass(frozen=True)
class Exchange:
    """One request, and its reply.

    Attributes:
        number: how many came before it.
        write: whether it changes something.
        line: what it asks for: a method and a path, or the beginning of a statement.
    """

    number: int
    write: bool
    line: str


@dataclass(frozen=True)
class LoseReply:
    """It is done, and nobody hears of it: the connection is closed in place of the reply."""


@dataclass(frozen=True)
class Cut:
    """The connection is closed before the server hears of it."""


@dataclass(frozen=True)
class Delay:
    """It takes some seconds more."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """The proxy answers by itself, and the server hears nothing. HTTP alone."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = LoseReply | Cut | Delay | Answer
Faults = Callable[[Exchange], Fault | None]
"""Decides what happens to an exchange; None: nothing."""


def nothing(_exchange: Exchange) -> Fault | None:
    """No fault."""
    return None


def every(count: int, fault: Fault, *, writes: bool = True) -> Faults:
    """The fault for each so many-th write, or request."""
    seen = itertools.count(1)
    return lambda exchange: fault if (exchange.write or not writes) and next(seen) % count == 0 else None


def always(fault: Fault) -> Faults:
    """The same fault for every exchange."""
    return lambda _exchange: fault


class HttpProxy:
    """A proxy for a store that is spoken to in HTTP.

    Args:
        upstream: the server's port.
        faults: decides what happens.
        tls: speaks TLS with clients.

    Attributes:
        faults: the same; may be changed at any time.
        exchanges: what came, oldest first.
    """

    def __init__(self, upstream: int, faults: Faults = nothing, tls: ssl.SSLContext | None = None) -> None:
        self.faults = faults
        self.upstream = upstream
        self.exchanges: list[Exchange] = []
        self._counting = threading.Lock()
        proxy = self

        class Handler(_Handler):
            proxy_of = proxy

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        if tls is not None:  # the handshake is the handling thread's
            self._httpd.socket = tls.wrap_socket(self._httpd.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return self._httpd.server_port

    def close(self) -> None:
        """From now on nobody is there."""
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def count(self, line: str, *, write: bool) -> Exchange:
        with self._counting:
            exchange = Exchange(len(self.exchanges), write, line)
            self.exchanges.append(exchange)
            return exchange


class _Handler(BaseHTTPRequestHandler):
    proxy_of: HttpProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        write = self.command in ("PUT", "POST", "DELETE")
        fault = self.proxy_of.faults(self.proxy_of.count(f"{self.command} {self.path}", write=write))
        if isinstance(fault, Delay):
            time.sleep(fault.seconds)
        if isinstance(fault, Cut):
            self.close_connection = True
        elif isinstance(fault, Answer):
            self._reply(fault.status, fault.body, dict(fault.headers))
        else:
            self._forward(body, lose=isinstance(fault, LoseReply))

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def _forward(self, body: bytes, *, lose: bool) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy_of.upstream, timeout=PATIENCE)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            reply = upstream.getresponse()
            content = reply.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            upstream.close()
        if lose:
            self.close_connection = True
        else:
            self._reply(reply.status, content, dict(reply.headers.items()))

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        dropped = ("connection", "transfer-encoding", "content-length", "keep-alive")
        with contextlib.suppress(ConnectionError):  # the client need not wait for it
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in dropped:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class TcpProxy:
    """A proxy for PostgreSQL, which looks for statements in what passes.

    Args:
        upstream: the server's port.

    Attributes:
        faults: decides what happens; :class:`Answer` is none of its faults.
        exchanges: the statements that came, oldest first.
    """

    def __init__(self, upstream: int, faults: Faults = nothing) -> None:
        self.faults = faults
        self.upstream = upstream
        self.exchanges: list[Exchange] = []
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """From now on nobody is there; connections that are open go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream), timeout=PATIENCE)
            except OSError:
                return
            with server:
                server.settimeout(None)
                losing = threading.Event()
                back = threading.Thread(target=self._back, args=(server, client, losing), daemon=True)
                back.start()
                self._forth(client, server, losing)
                _end(server)
                back.join(PATIENCE)

    def _forth(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(1 << 20):
                fault = self._fault(chunk)
                if isinstance(fault, Delay):
                    time.sleep(fault.seconds)
                if isinstance(fault, Cut):
                    _end(client)
                    return
                if isinstance(fault, LoseReply):
                    losing.set()
                server.sendall(chunk)

    def _back(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(1 << 20):
                if losing.is_set():  # that there is a reply says that it is done
                    break
                client.sendall(chunk)
        _end(client)

    def _fault(self, chunk: bytes) -> Fault | None:
        statement = next(
            (word for word in (b"INSERT", b"UPDATE", b"DELETE", b"SELECT", b"CREATE") if word in chunk), None
        )
        if statement is None:
            return None
        with self._counting:
            exchange = Exchange(len(self.exchanges), statement != b"SELECT", statement.decode())
            self.exchanges.append(exchange)
        return self.faults(exchange)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
