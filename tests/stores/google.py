"""A small server that speaks the part of Google Cloud Storage's XML API that the ledger uses.

Facts: https://cloud.google.com/storage/docs/xml-api/overview; preconditions by generation:
https://cloud.google.com/storage/docs/request-preconditions. What it does not know, it refuses and keeps in ``unknown``.
"""

from __future__ import annotations

import email.utils
import hashlib
import itertools
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 400
"""Names in one answer to a listing; fewer than Google's, so that a thousand take several."""


@dataclass(frozen=True)
class Stored:
    """An object of a bucket."""

    body: bytes
    generation: int
    changed: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


class GoogleServer:
    """Buckets in memory.

    Attributes:
        buckets: each bucket's objects, by name.
        unknown: requests that it refused because it does not know them.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.unknown: list[str] = []
        self.changing = threading.Lock()
        self.generations = itertools.count(int(time.time() * 1_000_000))
        self._start(0)

    @property
    def port(self) -> int:
        return self._httpd.server_port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"bucket-{len(self.buckets)}"
        self.buckets[name] = {}
        return name

    def stop(self) -> None:
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def start(self) -> None:
        """Start it again, at the same port, with what it held."""
        self._start(self.port)

    close = stop

    def _start(self, port: int) -> None:
        google = self

        class Handler(_Handler):
            server_of = google

        self._httpd = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()


class _Handler(BaseHTTPRequestHandler):
    server_of: GoogleServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        bucket, name, query = self._target()
        objects = self.server_of.buckets.get(bucket)
        if objects is None:
            self._error(404, "NoSuchBucket")
        elif not name:
            self._list(objects, query)
        elif name not in objects:
            self._error(404, "NoSuchKey")
        else:
            found = objects[name]
            changed = email.utils.formatdate(found.changed, usegmt=True)
            generation = {"x-goog-generation": str(found.generation), "Last-Modified": changed, "ETag": found.etag}
            self._answer(200, found.body, generation)

    def do_PUT(self) -> None:
        bucket, name, query = self._target()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        expected = self.headers.get("x-goog-if-generation-match")
        if query or not name or expected is None:
            self._unknown()
            return
        with self.server_of.changing:
            objects = self.server_of.buckets.get(bucket)
            if objects is None:
                self._error(404, "NoSuchBucket")
                return
            found = objects.get(name)
            if int(expected) != (found.generation if found is not None else 0):
                self._error(412, "PreconditionFailed")
                return
            stored = objects[name] = Stored(body, next(self.server_of.generations), time.time())
        self._answer(200, b"", {"x-goog-generation": str(stored.generation), "ETag": stored.etag})

    def do_DELETE(self) -> None:
        bucket, name, query = self._target()
        objects = self.server_of.buckets.get(bucket)
        if query or not name:
            self._unknown()
        elif objects is None:
            self._error(404, "NoSuchBucket")
        elif objects.pop(name, None) is None:
            self._error(404, "NoSuchKey")
        else:
            self._answer(204)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._unknown()

    do_HEAD = do_POST  # noqa: N815 - http.server's name

    def _target(self) -> tuple[str, str, dict[str, str]]:
        url = urlsplit(self.path)
        bucket, _, name = url.path.removeprefix("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        return unquote(bucket), unquote(name), query

    def _list(self, objects: dict[str, Stored], query: dict[str, str]) -> None:
        if query.pop("list-type", None) != "2" or set(query) - {"prefix", "continuation-token", "max-keys"}:
            self._unknown()
            return
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        names = sorted(name for name in dict(objects) if name.startswith(prefix) and name > after)
        page = names[:PAGE]
        parts = [_contents(name, objects[name]) for name in page if name in objects]
        if len(names) > len(page):
            parts.append(
                f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
            )
        self._answer(200, f"<ListBucketResult>{''.join(parts)}</ListBucketResult>".encode())

    def _unknown(self) -> None:
        self.server_of.unknown.append(f"{self.command} {self.path}")
        self._error(501, "NotImplemented")

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>".encode())

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def _contents(name: str, stored: Stored) -> str:
    changed = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(stored.changed))
    size, etag = len(stored.body), escape(stored.etag)
    return f"<Contents><Key>{escape(name)}</Key><LastModified>{changed}</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"


def url(bucket: str) -> str:
    return f"gs://{bucket}/{quote('led ger')}/of-tests"
