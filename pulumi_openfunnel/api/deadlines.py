"""Deadlines for whole exchanges: httpx's own timeouts start anew with every byte, so a slow trickle never ends.

And no pause within one: a server that sends an answer in two pieces waits for the first one's acknowledgement (Nagle's
algorithm, RFC 896), which the system keeps back for 40 ms.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux alone has it (tcp(7))


class Deadlines(httpcore.NetworkBackend):
    """Connections whose every exchange ends in time.

    Args:
        backend: makes them.
    """

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend
        self._thread = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let every exchange of this thread inside the context end after so many seconds, whatever the server does."""
        self._thread.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._thread.deadline = None

    def left(self, timeout: float | None, over: type[Exception]) -> float | None:
        """The timeout, or the time to the deadline where that is shorter.

        Raises:
            Exception: ``over``, when the deadline has passed.
        """
        deadline: float | None = getattr(self._thread, "deadline", None)
        if deadline is None:
            return timeout
        left = deadline - time.monotonic()
        if left <= 0:
            raise over("the deadline has passed")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self, self._backend.connect_tcp(host, port, left, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, deadlines: Deadlines, stream: httpcore.NetworkStream) -> None:
        self._deadlines = deadlines
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._acknowledge_at_once()
        return self._stream.read(max_bytes, self._deadlines.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadlines.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadlines.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._deadlines, self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _acknowledge_at_once(self) -> None:
        """Before each read: the system falls back to its own ways."""
        connection = self.get_extra_info("socket")
        if _QUICKACK is not None and connection is not None:
            with contextlib.suppress(OSError):  # of a closed connection, the read says more
                connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
