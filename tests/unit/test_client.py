"""The client against a real server that answers whatever the test wants."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from pulumi_openfunnel.api.answers import CreatedUser
from pulumi_openfunnel.api.client import Balance, Client
from pulumi_openfunnel.api.failures import unanswered
from pulumi_openfunnel.errors import (
    AnswerNotBelieved,
    CredentialsRefused,
    ForeignPage,
    NotAProvisioner,
    ProvisioningError,
    RateLimited,
    RequestRefused,
    ServerFault,
    Unreachable,
    UserExists,
)

from ..servers import (
    INTERNAL_EMAIL,
    ORCHESTRATOR,
    PROVISIONER_KEY,
    USER_KEY,
    Request,
    ScriptedServer,
    answer,
    hides_keys,
    told,
)

CREATED = {"id": 7, "email": INTERNAL_EMAIL, "api_key": USER_KEY}
SHORT = 0.3  # seconds that a client waits
PATIENCE = 60.0  # seconds after which a server that holds its answer lets go, so that a client without a timeout fails

SET_KEY = "Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY)."
MAY_EXIST = "The user may have been created all the same"
UNCHANGED = "Nothing was created"
YEAR = 366 * 86400.0  # seconds
FOREIGN = "somebody between here and OpenFunnel answered in its place"
BETWEEN = "Check HTTPS_PROXY and NO_PROXY, and what stands between here and OpenFunnel."
WAYS_OUT = (
    "Pass existing_api_key when you have its key, aliases when the resource was only renamed, "
    "or prefix or email_mapping for another user."
)


def _ask(base_url: str, timeout: float = 10.0) -> CreatedUser:
    with contextlib.closing(Client(base_url, timeout)) as client:
        return client.create_user(INTERNAL_EMAIL, user_id=ORCHESTRATOR, api_key=PROVISIONER_KEY, set_key=SET_KEY)


def _failure(base_url: str, timeout: float = 10.0) -> ProvisioningError:
    """The error of a request that fails; whatever it is, it names the user in one line and holds no key."""
    with pytest.raises(ProvisioningError) as caught:
        _ask(base_url, timeout)
    assert caught.value.who == INTERNAL_EMAIL
    assert str(caught.value).startswith(f"{INTERNAL_EMAIL}: ")
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return caught.value


class TestTheRequest:
    """What goes over the wire."""

    def test_it_is_the_documented_one(self, server: ScriptedServer) -> None:
        """One POST to create-user carries the email as JSON, the key and the orchestrator, and no more."""
        server.answers(200, CREATED)
        _ask(server.base_url)
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/api/v1/admin/create-user")
        assert json.loads(request.body) == {"email": INTERNAL_EMAIL}
        assert request.headers["x-api-key"] == PROVISIONER_KEY
        assert request.headers["x-user-id"] == ORCHESTRATOR
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"] == f"pulumi-openfunnel/{version('pulumi-openfunnel')}"

    def test_the_key_is_in_one_header_alone(self, server: ScriptedServer) -> None:
        """The provisioner key is nowhere in the request but in X-API-Key."""
        server.answers(200, CREATED)
        _ask(server.base_url)
        (request,) = server.requests
        assert [name for name, value in request.headers.items() if PROVISIONER_KEY in value] == ["x-api-key"]
        assert PROVISIONER_KEY not in request.path + request.body.decode()

    @pytest.mark.parametrize("status", [200, 409, 429, 500, 503])
    def test_it_is_made_once(self, server: ScriptedServer, status: int) -> None:
        """No answer makes the client ask again by itself."""
        server.answers(status)
        _failure(server.base_url)
        assert len(server.requests) == 1


class TestABelievedAnswer:
    """A 2xx that proves the user."""

    @pytest.mark.parametrize(
        ("status", "changes", "expected"),
        [
            (200, {}, CreatedUser("7", INTERNAL_EMAIL, USER_KEY)),
            (201, {}, CreatedUser("7", INTERNAL_EMAIL, USER_KEY)),
            (200, {"id": "usr_7"}, CreatedUser("usr_7", INTERNAL_EMAIL, USER_KEY)),
            (200, {"id": 0}, CreatedUser("0", INTERNAL_EMAIL, USER_KEY)),
            (200, {"id": 2**70}, CreatedUser("1180591620717411303424", INTERNAL_EMAIL, USER_KEY)),
            (200, {"api_key": f" {USER_KEY}\n"}, CreatedUser("7", INTERNAL_EMAIL, USER_KEY)),
            (200, {"more": [1, {"a": None}]}, CreatedUser("7", INTERNAL_EMAIL, USER_KEY)),
        ],
        ids=["200", "201", "string id", "id 0", "huge id", "key with blanks around it", "more fields"],
    )
    def test_it_gives_the_user(
        self, server: ScriptedServer, status: int, changes: dict[str, object], expected: CreatedUser
    ) -> None:
        """The id comes as a string, the key without blanks around it."""
        server.answers(status, CREATED | changes)
        assert _ask(server.base_url) == expected

    @pytest.mark.parametrize("email", ["Alice@Orchestrator.COM", f" {INTERNAL_EMAIL}\n"])
    def test_the_spelling_of_its_email_does_not_matter(self, server: ScriptedServer, email: str) -> None:
        """An answer for the same email in another case is for the user that was asked for."""
        server.answers(200, CREATED | {"email": email})
        assert _ask(server.base_url).api_key == USER_KEY

    def test_its_content_type_does_not_matter(self, server: ScriptedServer) -> None:
        """JSON that is served as text is JSON."""
        server.answers(200, CREATED, {"Content-Type": "text/plain"})
        assert _ask(server.base_url).api_key == USER_KEY

    def test_the_largest_one_has_64_kb(self, server: ScriptedServer) -> None:
        """An answer of exactly 64 KB is read whole and believed."""
        body = json.dumps(CREATED).encode()
        server.answers(200, body + b" " * (64 * 1024 - len(body)))
        assert _ask(server.base_url).api_key == USER_KEY

    def test_the_user_does_not_show_the_key(self) -> None:
        """Neither repr nor str of a created user shows the key."""
        user = CreatedUser("7", INTERNAL_EMAIL, USER_KEY)
        assert USER_KEY not in repr(user) + str(user)


UNBELIEVABLE: list[tuple[str, object, str]] = [
    ("empty", b"", "with no JSON object"),
    ("HTML", f"<html>{USER_KEY}</html>".encode(), "with no JSON object"),
    ("half of a JSON object", json.dumps(CREATED).encode()[:-3], "with no JSON object"),
    ("no UTF-8", b'{"id": 7, "api_key": "\xff"}', "with no JSON object"),
    ("deep JSON", b"[" * 60_000, "with no JSON object"),
    ("list", [CREATED], "with no JSON object"),
    ("string", USER_KEY, "with no JSON object"),
    ("null", None, "with no JSON object"),
    ("no key", {"id": 7, "email": INTERNAL_EMAIL}, "without a usable api_key"),
    ("empty key", CREATED | {"api_key": ""}, "without a usable api_key"),
    ("blank key", CREATED | {"api_key": " \n"}, "without a usable api_key"),
    ("null key", CREATED | {"api_key": None}, "without a usable api_key"),
    ("numeric key", CREATED | {"api_key": 123}, "without a usable api_key"),
    ("list of keys", CREATED | {"api_key": [USER_KEY]}, "without a usable api_key"),
    ("key with a space", CREATED | {"api_key": f"{USER_KEY} {USER_KEY}"}, "without a usable api_key"),
    ("key with a line break", CREATED | {"api_key": f"{USER_KEY}\n{USER_KEY}"}, "without a usable api_key"),
    ("non-ASCII key", CREATED | {"api_key": f"{USER_KEY}\u00e9"}, "without a usable api_key"),
    ("other email", CREATED | {"email": "bob@orchestrator.com"}, "not for the email that was asked for"),
    ("no email", {"id": 7, "api_key": USER_KEY}, "not for the email that was asked for"),
    ("null email", CREATED | {"email": None}, "not for the email that was asked for"),
    ("list of emails", CREATED | {"email": [INTERNAL_EMAIL]}, "not for the email that was asked for"),
    ("no id", {"email": INTERNAL_EMAIL, "api_key": USER_KEY}, "without a usable id"),
    ("null id", CREATED | {"id": None}, "without a usable id"),
    ("bool id", CREATED | {"id": True}, "without a usable id"),
    ("surrogate id", CREATED | {"id": "\ud800"}, "without a usable id"),
    ("id of two lines", CREATED | {"id": "7\n8"}, "without a usable id"),
    ("the asker's own key", CREATED | {"api_key": PROVISIONER_KEY}, "with the provisioner key itself"),
    ("empty id", CREATED | {"id": ""}, "without a usable id"),
    ("blank id", CREATED | {"id": " "}, "without a usable id"),
    ("fraction as id", CREATED | {"id": 7.5}, "without a usable id"),
    ("user inside", {"user": CREATED}, "not for the email that was asked for"),
    ("over 64 KB", json.dumps(CREATED).encode() + b" " * 64 * 1024, "with more than 64 KB"),
]


@pytest.mark.parametrize(
    ("body", "problem"), [(body, problem) for _, body, problem in UNBELIEVABLE], ids=[row[0] for row in UNBELIEVABLE]
)
def test_an_answer_that_proves_nothing_is_not_believed(server: ScriptedServer, body: object, problem: str) -> None:
    """A 2xx without a usable id and key for the email that was asked for is an error that keeps none of it."""
    server.answers(200, body)
    error = _failure(server.base_url)
    assert isinstance(error, AnswerNotBelieved)
    assert error.status == 200
    assert str(error) == (
        f"{INTERNAL_EMAIL}: OpenFunnel answered 200, but {problem}, and nothing of it was used. {MAY_EXIST}. "
        "Check openfunnel:baseUrl, then ask OpenFunnel."
    )


@pytest.mark.parametrize("status", [201, 202, 204])
def test_any_2xx_has_to_prove_the_user(server: ScriptedServer, status: int) -> None:
    """A 2xx other than 200 is not believed without a body, either."""
    server.answers(status)
    error = _failure(server.base_url)
    assert type(error) is AnswerNotBelieved
    assert error.status == status


def test_no_more_than_64_kb_are_read(server: ScriptedServer) -> None:
    """A body without an end is given up long before the timeout."""

    def endless(_request: Request) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while not server.released.is_set():
            yield b" " * 1024

    server.script = endless
    assert "with more than 64 KB" in str(_failure(server.base_url, timeout=60))


REFUSALS: list[tuple[str, int, object, type[ProvisioningError], str]] = [
    (
        "401",
        401,
        {"error_code": "UNAUTHORIZED"},
        CredentialsRefused,
        f"OpenFunnel refused the provisioner key (401). {UNCHANGED}. {SET_KEY}",
    ),
    (
        "403",
        403,
        {"error_code": "FORBIDDEN"},
        NotAProvisioner,
        (
            f"OpenFunnel does not let this account create users (403). {UNCHANGED}. Ask OpenFunnel to enable "
            "is_provisioner on it, and check that openfunnel:userId is the account of openfunnel:apiKey."
        ),
    ),
    (
        "401 of somebody else",
        401,
        b"<html>log in</html>",
        ForeignPage,
        f"{FOREIGN} (401). {UNCHANGED}. {BETWEEN}",
    ),
    ("403 of somebody else", 403, b"", ForeignPage, f"{FOREIGN} (403). {UNCHANGED}. {BETWEEN}"),
    ("403 with a list", 403, [{"error_code": "FORBIDDEN"}], ForeignPage, f"{FOREIGN} (403). {UNCHANGED}. {BETWEEN}"),
    ("407 with JSON", 407, {"error_code": "UNAUTHORIZED"}, ForeignPage, f"{FOREIGN} (407). {UNCHANGED}. {BETWEEN}"),
    (
        "409",
        409,
        b"",
        UserExists,
        (f"exists already (409), and its key cannot be read. {UNCHANGED}. {WAYS_OUT}"),
    ),
    (
        "400 of an existing user",
        400,
        {"message": "a user with this email already EXISTS"},
        UserExists,
        (f"exists already (400), and its key cannot be read. {UNCHANGED}. {WAYS_OUT}"),
    ),
    (
        "422 of an existing user",
        422,
        {"detail": "User already registered"},
        UserExists,
        (f"exists already (422), and its key cannot be read. {UNCHANGED}. {WAYS_OUT}"),
    ),
    (
        "400",
        400,
        {"error_code": "INVALID_REQUEST"},
        RequestRefused,
        f"OpenFunnel answered 400. {UNCHANGED}. Ask OpenFunnel why.",
    ),
    (
        "404",
        404,
        b"<html>no such page exists</html>",
        RequestRefused,
        f"OpenFunnel answered 404. {UNCHANGED}. Check openfunnel:baseUrl.",
    ),
    ("422", 422, b"", RequestRefused, f"OpenFunnel answered 422. {UNCHANGED}. Ask OpenFunnel why."),
    (
        "500",
        500,
        {"error_code": "INTERNAL_ERROR"},
        ServerFault,
        f"OpenFunnel answered 500. {MAY_EXIST}. Run pulumi up again.",
    ),
    (
        "502 of a proxy",
        502,
        b"<html>Bad Gateway</html>",
        ServerFault,
        f"OpenFunnel answered 502. {MAY_EXIST}. Run pulumi up again.",
    ),
    ("503", 503, b"", ServerFault, f"OpenFunnel answered 503. {MAY_EXIST}. Run pulumi up again."),
    ("408", 408, b"", ServerFault, f"OpenFunnel answered 408. {MAY_EXIST}. Run pulumi up again."),
    ("425", 425, b"", ServerFault, f"OpenFunnel answered 425. {MAY_EXIST}. Run pulumi up again."),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_a_refusal_says_what_it_means(
    server: ScriptedServer, status: int, body: object, kind: type[ProvisioningError], message: str
) -> None:
    """Each status has its class and its message, which says what to do now."""
    server.answers(status, body)
    error = _failure(server.base_url)
    assert type(error) is kind
    assert error.status == status
    assert str(error) == f"{INTERNAL_EMAIL}: {message}"


def _limited(seconds: object) -> dict[str, object]:
    return {"error_code": "RATE_LIMITED", "details": {"retry_after_seconds": seconds}}


@pytest.mark.parametrize(
    ("body", "header", "seconds", "when"),
    [
        (_limited(30), None, 30.0, "in 30 seconds"),
        (_limited(1.5), None, 1.5, "in 2 seconds"),
        (_limited(30), "60", 60.0, "in 60 seconds"),
        (b"", "60", 60.0, "in 60 seconds"),
        (b"<html>", "60", 60.0, "in 60 seconds"),
        ([], "60", 60.0, "in 60 seconds"),
        ({"details": "soon"}, "60", 60.0, "in 60 seconds"),
        (_limited("30"), "60", 60.0, "in 60 seconds"),
        (_limited(seconds=True), "60", 60.0, "in 60 seconds"),
        (b"", None, None, "later"),
        (_limited(-1), None, None, "later"),
        (_limited(1e300), None, YEAR, "in 31622400 seconds"),
        (_limited(10**400), None, None, "later"),
        (b'{"details": {"retry_after_seconds": NaN}}', None, None, "later"),
        (b'{"details": {"retry_after_seconds": Infinity}}', None, None, "later"),
        (b"", "-1", None, "later"),
        (b"", "9" * 400, None, "later"),
        (b"", "soon", None, "later"),
        (b"", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0, "in 0 seconds"),
        (b"", "Fri, 31 Dec 9999 23:59:59 GMT", YEAR, "in 31622400 seconds"),
        (b" " * 70_000, "60", 60.0, "in 60 seconds"),
    ],
    ids=[
        "body",
        "fraction",
        "body and header",
        "header",
        "header beside HTML",
        "header beside list",
        "header beside text",
        "header beside string",
        "header beside bool",
        "neither",
        "negative",
        "huge",
        "integer that is no float",
        "NaN",
        "infinite",
        "negative header",
        "huge header",
        "text in header",
        "date gone by in header",
        "date that never comes in header",
        "header beside a body over 64 KB",
    ],
)
def test_a_rate_limit_says_how_long_to_wait(
    server: ScriptedServer, body: object, header: str | None, seconds: float | None, when: str
) -> None:
    """The wait is the longer one of the body's and the header's, else unknown; absurd values are unknown."""
    server.answers(429, body, {"Retry-After": header} if header else None)
    error = _failure(server.base_url)
    assert isinstance(error, RateLimited)
    assert (error.status, error.retry_after) == (429, seconds)
    assert str(error) == (
        f"{INTERNAL_EMAIL}: OpenFunnel limits the rate (429). {UNCHANGED}. Run pulumi up again {when}."
    )


@pytest.mark.parametrize(("body", "header"), [(_limited(30), None), (b"<html>", "30"), (b"", "in half a minute")])
def test_a_503_that_says_when_to_come_back_is_a_rate_limit(
    server: ScriptedServer, body: object, header: str | None
) -> None:
    """By a number or by a date; the user may exist all the same."""
    if header == "in half a minute":
        header = formatdate(time.time() + 30, usegmt=True)
    server.answers(503, body, {"Retry-After": header} if header else None)
    error = _failure(server.base_url)
    assert isinstance(error, RateLimited)
    assert (error.status, error.may_exist) == (503, True)
    assert error.retry_after == pytest.approx(30, abs=2)
    assert str(error).startswith(
        f"{INTERNAL_EMAIL}: OpenFunnel asks to wait (503). {MAY_EXIST}. Run pulumi up again in "
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: ScriptedServer, other_server: ScriptedServer, status: int) -> None:
    """A redirect is refused, and where it points to gets nothing."""
    server.answers(status, b"", {"Location": f"{other_server.base_url}/{USER_KEY}"})
    other_server.answers(200, CREATED)
    error = _failure(server.base_url)
    assert type(error) is RequestRefused
    assert error.status == status
    assert str(error) == (
        f"{INTERNAL_EMAIL}: OpenFunnel answered a redirect, which is never followed with a key. {UNCHANGED}. "
        "Check openfunnel:baseUrl."
    )
    assert other_server.requests == []


@pytest.mark.parametrize(
    ("status", "word"),
    [(status, "") for status in (200, 307, 400, 401, 403, 404, 409, 429, 500, 503)] + [(400, "exists")],
)
def test_an_echo_of_the_request_is_not_repeated(server: ScriptedServer, status: int, word: str) -> None:
    """A server that puts the request's headers into its answer gets no key into the error."""

    def echo(request: Request) -> Iterable[bytes]:
        shown: Mapping[str, str] = {f"X-Echo-{name}": value for name, value in request.headers.items()}
        return [answer(status, {"message": word, "headers": request.headers, "details": request.headers}, shown)]

    server.script = echo
    error = _failure(server.base_url)
    assert server.requests[0].headers["x-api-key"] == PROVISIONER_KEY
    assert error.status == status


class TestNoAnswer:
    """Nobody there, or nothing in time."""

    def test_nobody_listens(self) -> None:
        """A refused connection means that nothing was sent."""
        with socket.socket() as taken:  # bound, but nobody listens
            taken.bind(("127.0.0.1", 0))
            error = _failure(f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert isinstance(error, Unreachable)
        assert (error.sent, error.status) == (False, None)
        assert str(error).startswith(f"{INTERNAL_EMAIL}: OpenFunnel could not be reached (")
        assert str(error).endswith(f"). {UNCHANGED}. Check openfunnel:baseUrl and run pulumi up again.")

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n",
            b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 7',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"id": 7\r\n',
        ],
        ids=["nothing", "half a status line", "half the headers", "half the body", "a chunk"],
    )
    def test_the_connection_breaks(self, server: ScriptedServer, sent: bytes) -> None:
        """A connection that ends before the whole answer leaves open whether the user exists."""
        server.script = lambda _request: [sent] if sent else []
        self._assert_broken(server)

    @pytest.mark.parametrize(
        "sent",
        [
            PROVISIONER_KEY.encode() + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Key " + PROVISIONER_KEY.encode() + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + PROVISIONER_KEY.encode(),
        ],
        ids=["no HTTP", "no header", "no gzip"],
    )
    def test_the_answer_is_no_http(self, server: ScriptedServer, sent: bytes) -> None:
        """Bytes that are no HTTP answer are a broken connection, and are not repeated."""
        server.script = lambda _request: [sent]
        self._assert_broken(server)

    @staticmethod
    def _assert_broken(server: ScriptedServer) -> None:
        error = _failure(server.base_url)
        assert len(server.requests) == 1
        assert isinstance(error, Unreachable)
        assert (error.sent, error.status) == (True, None)
        assert str(error) == (
            f"{INTERNAL_EMAIL}: the connection to OpenFunnel broke. {MAY_EXIST}. Run pulumi up again."
        )

    @pytest.mark.parametrize(
        "sent",
        [b"", b"HTTP/1.1 200 OK\r\n", b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 7'],
        ids=["nothing", "half the headers", "half the body"],
    )
    def test_the_answer_does_not_come_in_time(self, server: ScriptedServer, sent: bytes) -> None:
        """An answer that stops is given up after the timeout, and the user may exist."""

        def held(_request: Request) -> Iterator[bytes]:
            yield sent
            server.released.wait(PATIENCE)

        server.script = held
        self._assert_late(server)

    def test_the_answer_trickles(self, server: ScriptedServer) -> None:
        """A body that comes byte by byte is given up after the timeout, though no byte is late."""

        def trickle(_request: Request) -> Iterator[bytes]:
            count = int(3 * timeout / pause)
            yield f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n".encode()
            while count and not server.released.wait(pause):
                yield b" "
                count -= 1

        timeout, pause = 1.0, 0.03
        server.script = trickle
        self._assert_late(server, timeout)

    @staticmethod
    def _assert_late(server: ScriptedServer, timeout: float = SHORT) -> None:
        error = _failure(server.base_url, timeout)
        assert isinstance(error, Unreachable)
        assert (error.sent, error.status) == (True, None)
        assert str(error) == (f"{INTERNAL_EMAIL}: OpenFunnel did not answer in time. {MAY_EXIST}. Run pulumi up again.")


def test_a_queue_takes_nothing_of_a_looks_time(server: ScriptedServer) -> None:
    """Of many threads that look at balances at once, all get the whole time for the answer."""

    def script(_request: Request) -> Iterator[bytes]:
        time.sleep(0.6)
        yield answer(200, {"credits_left": 1})

    server.script = script
    server._httpd.socket.listen(64)  # or the system lets connections wait
    client = Client(server.base_url)
    with ThreadPoolExecutor(64) as pool:
        seen = list(pool.map(lambda number: client.balance(f"of_{number}", 1.1), range(64)))
    client.close()
    assert [balance.problem for balance in seen] == [None] * 64


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux alone can acknowledge at once")
def test_what_is_read_is_acknowledged_at_once(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each read of an answer, so that a server that sends it in pieces does not wait between them."""
    calls: list[str] = []
    setsockopt, recv = socket.socket.setsockopt, socket.socket.recv

    class Watched(socket.socket):
        def setsockopt(self, *args: Any) -> None:
            calls.extend(["acknowledge"] if args[1] == socket.TCP_QUICKACK else [])
            setsockopt(self, *args)

        def recv(self, *args: Any) -> bytes:
            calls.append("read")
            return recv(self, *args)

    server.script = lambda _request: [answer(200, CREATED)[:40], answer(200, CREATED)[40:]]
    monkeypatch.setattr(socket, "socket", Watched)
    assert _ask(server.base_url).api_key == USER_KEY
    assert calls.count("read") >= 1
    assert calls == ["acknowledge", "read"] * calls.count("read")


PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class TestAProxy:
    """A proxy that the environment names."""

    @pytest.fixture
    def proxy(self, other_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
        for variable in PROXY_VARIABLES:
            monkeypatch.setenv(variable, other_server.base_url)
        for variable in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(variable, raising=False)
        return other_server

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_it_gets_nothing_that_is_for_this_machine(
        self, server: ScriptedServer, proxy: ScriptedServer, host: str
    ) -> None:
        """A request to a loopback address goes there, past the proxy."""
        server.answers(200, CREATED)
        assert _ask(server.base_url.replace("127.0.0.1", host)).api_key == USER_KEY
        assert proxy.requests == []

    def test_it_gets_what_is_for_other_machines(self, proxy: ScriptedServer) -> None:
        """A request to any other host goes through the proxy."""
        proxy.answers(200, CREATED)
        assert _ask("http://openfunnel.invalid").api_key == USER_KEY
        assert [request.path for request in proxy.requests] == ["http://openfunnel.invalid/api/v1/admin/create-user"]


def _all_below(kind: type[httpx.HTTPError]) -> list[type[httpx.HTTPError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all_below(child))]


def _raised(kind: type[httpx.HTTPError], text: str) -> httpx.HTTPError:
    """An exception of httpx as a request raises it, with the request that holds the key."""
    request = httpx.Request("POST", "https://a.com", headers={"X-API-Key": PROVISIONER_KEY})
    if issubclass(kind, httpx.HTTPStatusError):
        return kind(text, request=request, response=httpx.Response(500, request=request))
    if issubclass(kind, httpx.RequestError):
        return kind(text, request=request)
    return kind(text)


@pytest.mark.parametrize("kind", _all_below(httpx.HTTPError))
def test_every_exception_of_httpx_is_translated(kind: type[httpx.HTTPError]) -> None:
    """Each exception becomes an error in one line, which repeats only why a connection was not made."""
    error = unanswered(INTERNAL_EMAIL, _raised(kind, "first line\nsecond line"), None)
    assert isinstance(error, Unreachable)
    assert str(error).startswith(f"{INTERNAL_EMAIL}: ")
    assert str(error).isprintable()
    assert ("first line second line" in str(error)) is (kind is httpx.ConnectError)
    assert ("second line" in told(error)) is (kind is httpx.ConnectError)
    assert hides_keys(error)


@pytest.mark.parametrize("kind", _all_below(httpx.HTTPError))
def test_an_unmade_connection_sent_nothing(kind: type[httpx.HTTPError]) -> None:
    """Only where no connection was had is it certain that no user was created."""
    error = unanswered(INTERNAL_EMAIL, _raised(kind, ""), None)
    assert isinstance(error, Unreachable)
    assert error.sent is (kind not in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError))
    assert (UNCHANGED in str(error), MAY_EXIST in str(error)) == (not error.sent, error.sent)


class TestBalance:
    """The balance endpoint, which tells whether a key works and never raises."""

    def test_the_documented_request(self, server: ScriptedServer) -> None:
        """One GET with the key alone; the credits come as a number."""
        server.answers(200, {"total_credits": 200, "credits_used": 37.5, "credits_left": 162.5})
        with contextlib.closing(Client(server.base_url)) as client:
            balance = client.balance(USER_KEY)
        assert (balance.accepted, balance.refused, balance.credits_left) == (True, False, 162.5)
        [request] = server.requests
        assert (request.method, request.path, request.body) == ("GET", "/api/v1/credits/balance", b"")
        assert request.headers["x-api-key"] == USER_KEY
        assert "x-user-id" not in request.headers

    @pytest.mark.parametrize("left", [None, "162.5", True, [1], 10**400])
    def test_credits_of_another_kind_are_not_told(self, server: ScriptedServer, left: object) -> None:
        """The key works all the same."""
        server.answers(200, {"credits_left": left})
        with contextlib.closing(Client(server.base_url)) as client:
            assert client.balance(USER_KEY) == Balance(200)

    def test_an_answer_that_does_not_come(self, server: ScriptedServer) -> None:
        """Nothing in time is neither yes nor no."""

        def script(_request: Request) -> Iterator[bytes]:
            server.released.wait(PATIENCE)
            yield answer(200, {})

        server.script = script
        with contextlib.closing(Client(server.base_url)) as client:
            balance = client.balance(USER_KEY, timeout=SHORT)
        assert (balance.accepted, balance.refused, balance.problem) == (False, False, "it did not answer in time")
        server.released.set()
