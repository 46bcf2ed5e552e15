"""httpx's transport over connections that keep deadlines: httpx hands none of its own a network backend."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import cast
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from .deadlines import Deadlines

_KEEP = 5.0  # seconds for which a connection waits for reuse


class Transport(httpx.BaseTransport):
    """Requests over HTTP/1.1, directly or through a proxy.

    Each request has a pool of its own until its answer is read, and each pool one connection: one pool for all would look
    at every connection, by a system call, as each request begins and as it ends.

    Args:
        proxy: the proxy's URL, which may hold a user and a password; None for none.
        deadlines: what they are made by.

    Raises:
        ImportError: for a SOCKS proxy, when ``socksio`` is not installed.
        OSError: when the certificates that the environment names cannot be read.
        ValueError: when the proxy's URL is none.
    """

    def __init__(self, proxy: str | None, deadlines: Deadlines) -> None:
        self._ssl_context = httpx.create_ssl_context()
        self._proxy = _proxy(proxy) if proxy is not None else None
        self._deadlines = deadlines
        self._pools: list[httpcore.ConnectionPool] = []  # as many as there were requests at once
        self._free: list[httpcore.ConnectionPool] = []  # those that no request has; the one used last is taken first

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        pool = self._taken()
        try:
            with _as_httpx():
                answer = pool.handle_request(sent)
        except BaseException:
            self._free.append(pool)
            raise
        body = _Body(cast("Iterable[bytes]", answer.stream), lambda: self._free.append(pool))
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        for pool in self._pools:
            pool.close()

    def _taken(self) -> httpcore.ConnectionPool:
        """A pool for one request."""
        with contextlib.suppress(IndexError):
            return self._free.pop()
        pool = httpcore.ConnectionPool(
            self._ssl_context,
            proxy=self._proxy,
            max_connections=1,
            keepalive_expiry=_KEEP,
            network_backend=self._deadlines,
        )
        self._pools.append(pool)
        return pool


class _Body(httpx.SyncByteStream):
    """An answer's body.

    Args:
        parts: of it.
        closed: is called when it is closed, which httpx does once.
    """

    def __init__(self, parts: Iterable[bytes], closed: Callable[[], None]) -> None:
        self._parts = parts
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._parts

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._closed()


def _proxy(proxy: str) -> httpcore.Proxy:
    url = urlsplit(proxy)
    if url.scheme in ("socks5", "socks5h"):
        importlib.import_module("socksio")  # what httpcore needs for it, found missing before a request is made
    elif url.scheme not in ("http", "https"):
        raise ValueError("not a kind of proxy")
    if not url.hostname:
        raise ValueError("no proxy is named")  # a connection to nobody would reach this machine
    where = httpcore.URL(scheme=url.scheme, host=url.hostname or "", port=url.port, target="/")
    auth = (unquote(url.username), unquote(url.password or "")) if url.username else None
    return httpcore.Proxy(where, auth)


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as httpx's, which have the same names."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
        raised: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise raised(str(error)) from error
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
