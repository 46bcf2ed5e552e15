"""httpx's transport over connections that keep deadlines: httpx hands none of its own a network backend."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator
from typing import cast
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from .deadlines import Deadlines

_KEEP = 5.0  # seconds for which a connection waits for reuse


class Transport(httpx.BaseTransport):
    """Requests over HTTP/1.1, directly or through a proxy.

    Args:
        proxy: the proxy's URL, which may hold a user and a password; None for none.
        connections: at once, at the most.
        deadlines: what they are made by.

    Raises:
        ImportError: for a SOCKS proxy, when ``socksio`` is not installed.
        OSError: when the certificates that the environment names cannot be read.
        ValueError: when the proxy's URL is none.
    """

    def __init__(self, proxy: str | None, connections: int, deadlines: Deadlines) -> None:
        self._pool = httpcore.ConnectionPool(
            httpx.create_ssl_context(),
            proxy=_proxy(proxy) if proxy is not None else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEP,
            network_backend=deadlines,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = self._pool.handle_request(sent)
        body = _Body(cast("Iterable[bytes]", answer.stream))
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._parts

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


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
