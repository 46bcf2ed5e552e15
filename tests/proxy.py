"""A forward proxy on a loopback port: CONNECT, and plain HTTP, for who knows its user and password."""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

_WANTED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes on what it gets, also to hosts that no resolver knows.

    Args:
        hosts: the loopback port behind each host.
        user: who may use it.
        password: the user's.

    Attributes:
        asked: the first line of each request that it passed on, oldest first.
        before: is called with the request's first line before it is passed on or answered.
    """

    def __init__(self, hosts: Mapping[str, int], user: str, password: str) -> None:
        self.asked: list[str] = []
        self.before: Callable[[str], object] = lambda _line: None
        self._hosts = hosts
        self._allowed = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._server = ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[StreamRequestHandler]:
        proxy = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):  # whoever goes, goes
                    proxy._serve(self.connection)

        return Handler

    def _serve(self, client: socket.socket) -> None:
        head, rest = _head(client)
        line, *headers = head.split("\r\n")
        self.before(line)
        if f"Proxy-Authorization: {self._allowed}" not in headers:
            client.sendall(_WANTED)
            return
        self.asked.append(line)
        method, target, _ = line.split()
        if method == "CONNECT":
            with self._reached(target.rpartition(":")[0]) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _relay(client, server)
            return
        url = urlsplit(target)
        kept = [header for header in headers if not header.lower().startswith("proxy-")]
        with self._reached(url.hostname or "") as server:
            server.sendall("\r\n".join([f"{method} {url.path} HTTP/1.1", *kept, "", ""]).encode() + rest)
            _relay(client, server)

    def _reached(self, host: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._hosts[host]))


def _head(client: socket.socket) -> tuple[str, bytes]:
    """A request's line and headers, and what came of its body already."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(65536)
        if not part:
            raise ConnectionError("no request came")
        received += part
    head, _, rest = received.partition(b"\r\n\r\n")
    return head.decode(), rest


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either says, until one of them is done."""
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                said = key.fileobj.recv(65536) if isinstance(key.fileobj, socket.socket) else b""
                if not said:
                    return
                key.data.sendall(said)
