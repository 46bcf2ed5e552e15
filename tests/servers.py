"""A scripted HTTP server on a loopback port, and how to read everything that an error tells."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROVISIONER_KEY = "of_provisioner_0123456789"
USER_KEY = "of_alice_0123456789"
ORCHESTRATOR = "guy@orchestrator.com"
INTERNAL_EMAIL = "alice@orchestrator.com"


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Request], Iterable[bytes]]


def answer(status: int = 200, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP answer; what is not bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Length: {len(content)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class ScriptedServer:
    """Records requests, answers each with the bytes that the script yields, then closes the connection.

    Args:
        tls: what it proves itself with, where it speaks HTTPS.

    Attributes:
        script: what the next requests are answered with.
        requests: what came, oldest first.
        released: set when the test is over, so that a script can hold an answer until then.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: Script = lambda _request: [answer(404)]
        self.requests: list[Request] = []
        self.released = threading.Event()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._httpd.daemon_threads = False
        if tls is not None:
            self._httpd.socket = tls.wrap_socket(self._httpd.socket, server_side=True)
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._httpd.server_port

    def answers(self, status: int = 200, body: object = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer every request with this."""
        self.script = lambda _request: [answer(status, body, headers)]

    def close(self) -> None:
        self.released.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                server.requests.append(request)
                self.close_connection = True
                with contextlib.suppress(ConnectionError):  # the client need not wait for the end
                    for chunk in server.script(request):
                        self.wfile.write(chunk)

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


def told(error: BaseException) -> str:
    """All that an error and the chain behind it would tell whoever prints them, suppressed contexts too."""
    texts: list[str] = []
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            texts += [str(found), repr(found), repr(vars(found))]
            waiting += [found.__context__, found.__cause__]
    return "\n".join(texts)


def hides_keys(error: BaseException) -> bool:
    """Whether an error and the chain behind it hold none of the tests' keys."""
    return all(key not in told(error) for key in (PROVISIONER_KEY, USER_KEY))
