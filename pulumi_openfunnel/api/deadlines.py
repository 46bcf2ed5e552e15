"""Deadlines for whole exchanges: httpx's own timeouts start anew with every byte, so a slow trickle never ends.

And no pause within one: a server that sends an answer in two pieces waits for the first one's acknowledgement (Nagle's
algorithm, RFC 896), which the system keeps back for 40 ms.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux alone has it (tcp(7))

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let every exchange of this thread inside the context end after so many seconds, whatever the server does."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def keep_deadlines(client: httpx.Client) -> None:
    """Make a client's connections keep to :func:`within`, those through proxies as well.

    httpx takes a network backend for none of its transports, so it is put into their connection pools.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - no public way in
        pool = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore.ConnectionPool):
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._acknowledge_at_once()
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _acknowledge_at_once(self) -> None:
        """Before each read: the system falls back to its own ways."""
        connection = self.get_extra_info("socket")
        if _QUICKACK is not None and connection is not None:
            with contextlib.suppress(OSError):  # of a closed connection, the read says more
                connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    """The timeout, or the time to the deadline where that is shorter."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise over("the deadline has passed")
    return left if timeout is None else min(timeout, left)
