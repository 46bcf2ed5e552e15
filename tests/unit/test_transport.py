"""Requests on their way: through real proxies, over TLS, and what their failures become."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from pulumi_openfunnel.api.answers import CreatedUser
from pulumi_openfunnel.api.client import Client
from pulumi_openfunnel.api.transport import _as_httpx
from pulumi_openfunnel.errors import InvalidSetting, ProvisioningError, Unreachable

from ..certificates import Authority
from ..proxy import Proxy
from ..servers import (
    INTERNAL_EMAIL,
    ORCHESTRATOR,
    PROVISIONER_KEY,
    USER_KEY,
    Request,
    Script,
    ScriptedServer,
    hides_keys,
    told,
)
from .provisions import created

HOST = "api.openfunnel.test"
CREATE_USER = "/api/v1/admin/create-user"
USER, PASSWORD, IN_URL = "guy@corp", "p@ss:w/rd", "guy%40corp:p%40ss%3Aw%2Frd"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


@pytest.fixture
def secure(authority: Authority) -> Iterator[ScriptedServer]:
    """OpenFunnel over HTTPS, which answers with a key."""
    with contextlib.closing(ScriptedServer(authority.server(HOST))) as running:
        running.script = lambda _request: [created()]
        yield running


@pytest.fixture
def plain(server: ScriptedServer) -> ScriptedServer:
    """The same over HTTP."""
    server.script = lambda _request: [created()]
    return server


@pytest.fixture
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that the environment names, with user and password, and that alone knows OpenFunnel's host."""
    name = "secure" if "secure" in request.fixturenames else "plain"
    behind: ScriptedServer = request.getfixturevalue(name)
    with contextlib.closing(Proxy({HOST: behind.port}, USER, PASSWORD)) as running:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, f"http://{IN_URL}@127.0.0.1:{running.port}")
        yield running


def _ask(base_url: str, timeout: float = 10.0) -> CreatedUser:
    with contextlib.closing(Client(base_url, timeout)) as client:
        return client.create_user(INTERNAL_EMAIL, user_id=ORCHESTRATOR, api_key=PROVISIONER_KEY, set_key="")


def _failure(base_url: str, timeout: float = 10.0) -> Unreachable:
    """The error of a request without an answer: one line that holds no key and no password."""
    with pytest.raises(ProvisioningError) as caught:
        _ask(base_url, timeout)
    assert isinstance(caught.value, Unreachable)
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    assert not any(secret in told(caught.value) for secret in (PASSWORD, IN_URL))
    return caught.value


class TestATunnel:
    """HTTPS through a proxy."""

    @pytest.mark.usefixtures("trusted")
    def test_it_is_asked_for_with_user_and_password(self, secure: ScriptedServer, proxy: Proxy) -> None:
        """CONNECT alone is what the proxy sees; OpenFunnel sees the key and nothing of the proxy's."""
        assert _ask(f"https://{HOST}").api_key == USER_KEY
        assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]
        [request] = secure.requests
        assert (request.method, request.path) == ("POST", CREATE_USER)
        assert request.headers["x-api-key"] == PROVISIONER_KEY
        assert "proxy-authorization" not in request.headers

    def test_a_certificate_is_checked_at_its_end(self, secure: ScriptedServer, proxy: Proxy) -> None:
        """An authority that nobody trusts, a proxy that breaks TLS open say, gets nothing of the request."""
        error = _failure(f"https://{HOST}")
        assert (
            "the certificate of openfunnel:baseUrl, or of the proxy that HTTPS_PROXY names, is not trusted here"
            in str(error)
        )
        assert "set SSL_CERT_FILE" in str(error)
        assert (error.sent, error.transient) == (False, False)
        assert len(proxy.asked) == 1
        assert secure.requests == []

    @pytest.mark.usefixtures("trusted")
    def test_a_wrong_password_is_told_and_not_shown(
        self, secure: ScriptedServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One line says that the proxy refused; nothing was sent."""
        monkeypatch.setenv("HTTPS_PROXY", f"http://guy:wrong-secret@127.0.0.1:{proxy.port}")
        error = _failure(f"https://{HOST}")
        assert (
            "the proxy that HTTPS_PROXY names did not let the request through. Nothing was created. Check HTTPS_PROXY (or NO_PROXY)"
            in str(error)
        )
        assert not error.sent
        assert "wrong-secret" not in told(error)
        assert (proxy.asked, secure.requests) == ([], [])

    @pytest.mark.usefixtures("trusted")
    def test_its_making_keeps_the_deadline(self, secure: ScriptedServer, proxy: Proxy) -> None:
        """A proxy that holds its answer is left in time."""
        proxy.before = lambda _line: secure.released.wait(30)
        _ends_in_time(f"https://{HOST}", secure)
        assert secure.requests == []

    @pytest.mark.usefixtures("trusted", "proxy")
    def test_an_answer_that_trickles_through_it_keeps_the_deadline(self, secure: ScriptedServer) -> None:
        """Each byte is in time, and the whole is not."""
        secure.script = _trickle(secure)
        assert _ends_in_time(f"https://{HOST}", secure).sent


class TestAForwardProxy:
    """Plain HTTP through a proxy, as to an OpenFunnel of the tests."""

    def test_it_gets_user_and_password(self, plain: ScriptedServer, proxy: Proxy) -> None:
        """It is given the whole address; what it is given for itself goes no further."""
        assert _ask(f"http://{HOST}").api_key == USER_KEY
        assert proxy.asked == [f"POST http://{HOST}{CREATE_USER} HTTP/1.1"]
        [request] = plain.requests
        assert request.path == CREATE_USER
        assert request.headers["host"] == HOST
        assert "proxy-authorization" not in request.headers

    @pytest.mark.usefixtures("proxy")
    def test_an_answer_that_trickles_through_it_keeps_the_deadline(self, plain: ScriptedServer) -> None:
        """As through a tunnel."""
        plain.script = _trickle(plain)
        assert _ends_in_time(f"http://{HOST}", plain).sent

    def test_one_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Is a connection that was not made."""
        monkeypatch.setenv("HTTP_PROXY", f"http://{IN_URL}@127.0.0.1:1")
        error = _failure(f"http://{HOST}")
        assert "OpenFunnel could not be reached (" in str(error)
        assert (error.sent, error.transient) == (False, True)


def _trickle(server: ScriptedServer) -> Script:
    def script(_request: Request) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
        while not server.released.wait(0.03):
            yield b" "

    return script


def _ends_in_time(base_url: str, server: ScriptedServer) -> Unreachable:
    started = time.monotonic()
    error = _failure(base_url, timeout=0.6)
    took = time.monotonic() - started
    server.released.set()
    assert 0.5 < took < 5
    assert "in time" in str(error)
    return error


class TestTLS:
    """Without a proxy."""

    @pytest.fixture
    def here(self, authority: Authority) -> Iterator[ScriptedServer]:
        with contextlib.closing(ScriptedServer(authority.server("127.0.0.1"))) as running:
            running.script = lambda _request: [created()]
            yield running

    @pytest.mark.usefixtures("trusted")
    def test_an_authority_of_ones_own(self, here: ScriptedServer) -> None:
        """SSL_CERT_FILE names whom to trust."""
        assert _ask(f"https://127.0.0.1:{here.port}").api_key == USER_KEY

    @pytest.mark.usefixtures("trusted")
    def test_another_host_than_the_certificates(self, here: ScriptedServer) -> None:
        """Gets nothing, whoever signed it."""
        error = _failure(f"https://localhost:{here.port}")
        assert "the certificate of openfunnel:baseUrl is not trusted here. Nothing was created." in str(error)
        assert here.requests == []

    def test_an_authority_that_nobody_knows(self, here: ScriptedServer) -> None:
        """Gets nothing either."""
        assert not _failure(f"https://127.0.0.1:{here.port}").transient
        assert here.requests == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "ftp://guy:secret@proxy.corp"),
        ("HTTPS_PROXY", "http://guy:secret@[::1"),
        ("HTTPS_PROXY", "http://guy:secret@proxy.corp:port"),
        ("HTTPS_PROXY", "http://guy:secret@proxy.corp:99999"),
        ("HTTPS_PROXY", "http://guy:secret@"),
        ("ALL_PROXY", "socks4://guy:secret@proxy.corp"),
        ("ALL_PROXY", "socks5://guy:secret@proxy.corp"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_an_environment_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Before any request, in one line that names the variables and nothing of what they hold."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting) as caught:
        Client(f"https://{HOST}")
    assert str(caught.value).startswith("The environment's proxies or certificates cannot be used. Check HTTPS_PROXY, ")
    assert not any(text in told(caught.value) for text in ("secret", __file__))


RAISED = [
    kind
    for name in httpcore.__all__
    if isinstance(kind := getattr(httpcore, name), type) and issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", [kind for kind in RAISED if kind is not httpcore.ConnectionNotAvailable])
def test_every_failure_below_is_httpxs(kind: type[Exception]) -> None:
    """What httpcore raises comes as httpx's error of the same name, with its words."""
    with pytest.raises(httpx.TransportError) as caught, _as_httpx():
        raise kind("its words")
    assert type(caught.value).__name__ == kind.__name__
    assert str(caught.value) == "its words"


def test_as_many_connections_as_requests_at_once(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is used again, for one request after the other, also after one that failed."""
    made: list[str] = []

    class Counted(httpcore.SyncBackend):
        def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
            made.append(host)
            return super().connect_tcp(host, *args, **kwargs)

    monkeypatch.setattr(httpcore, "SyncBackend", Counted)
    with contextlib.closing(Client(api)) as client, ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            assert client.balance(PROVISIONER_KEY).accepted
        assert len(made) == 1
        assert not client.balance(PROVISIONER_KEY, timeout=1e-9).accepted
        assert all(threads.map(lambda _: client.balance(PROVISIONER_KEY).accepted, range(64)))
    assert len(made) <= 1 + 1 + 8
