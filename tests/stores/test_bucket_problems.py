"""What stands in the way of a ledger in a bucket, each in one line that says what to do."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.store import Conflict, Store

from . import azure, certificates, google, s3
from .azure import AzureServer
from .google import GoogleServer
from .helpers import IMPATIENCE, Url, check_line
from .proxies import Answer, Exchange, Fault, HttpProxy, every, nothing
from .s3 import S3Server

USER, SECRET = "AKIATESTOFUSER", "secret/of+the/test+user"
LEAST = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")
CALLS: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("users/a"),
    "get_many": lambda store: store.get_many(["users/a", "users/b"]),
    "put_new": lambda store: store.put_new("users/b", b"B"),
    "put_over": lambda store: store.put_over("users/a", b"B", '"0123456789abcdef0123456789abcdef"'),
    "remove": lambda store: store.remove("users/a"),
    "names": lambda store: store.names("users/"),
}


def _refusal(url: str, call: Callable[[Store], object], *, patience: float = IMPATIENCE) -> LedgerUnusable:
    """The error that a call on a place ends with, which is one line and hides what has to be hidden."""
    with pytest.raises(LedgerUnusable) as caught, contextlib.closing(Url(url).open(patience=patience)) as store:
        call(store)
    check_line(caught.value, url)
    for hidden in (s3.ACCESS_KEY, s3.SECRET_KEY, USER, SECRET, azure.KEY):
        assert hidden not in str(caught.value)
    return caught.value


@pytest.fixture
def proxied(s3_server: S3Server) -> Iterator[tuple[HttpProxy, str]]:
    """A proxy before S3, and the URL of a new bucket through it."""
    with contextlib.closing(HttpProxy(s3_server.port)) as proxy:
        yield proxy, s3_server.url(s3_server.bucket(), port=proxy.port)


@pytest.fixture
def _user(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' process is a user who may do nothing yet."""
    with contextlib.suppress(Exception):  # there is one from a test before
        s3_server.user(USER, SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", USER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.mark.parametrize("call", CALLS)
def test_s3_without_the_bucket(s3_server: S3Server, call: str) -> None:
    """Whatever is asked for, a bucket that is not there is told as that, and never as a document that is not."""
    error = _refusal(s3_server.url("no-such-bucket"), CALLS[call])
    assert (error.problem, error.transient) == ("cannot be used: there is no such bucket", False)


@pytest.mark.parametrize("call", CALLS)
def test_azure_without_the_container(azure_server: AzureServer, call: str) -> None:
    """The same for Azure; but what is removed from nowhere is gone."""
    url = azure_server.url("no-such-container")
    if call == "remove":
        with contextlib.closing(Url(url).open()) as store:
            store.remove("users/a")
        return
    error = _refusal(url, CALLS[call])
    assert (error.problem, error.transient) == ("cannot be used: there is no such container", False)


@pytest.mark.parametrize("call", CALLS)
def test_google_without_the_bucket(google_server: GoogleServer, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The same for Google Cloud."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.base_url)
    error = _refusal(google.url("no-such-bucket"), CALLS[call])
    assert (error.problem, error.transient) == ("cannot be used: there is no such bucket", False)


MISSING = [
    ("get", "s3:GetObject", "s3:GetObject, and s3:ListBucket"),
    ("get_many", "s3:GetObject", "s3:GetObject, and s3:ListBucket"),
    ("put_new", "s3:PutObject", "s3:PutObject."),
    ("put_over", "s3:PutObject", "s3:PutObject and s3:GetObject."),
    ("remove", "s3:DeleteObject", "s3:DeleteObject."),
    ("names", "s3:ListBucket", "s3:ListBucket."),
]


@pytest.mark.usefixtures("_user")
@pytest.mark.parametrize(("call", "action", "told"), MISSING)
def test_s3_without_a_permission(s3_server: S3Server, call: str, action: str, told: str) -> None:
    """A user who may do all but one thing is told which permission is missing for it."""
    bucket = s3_server.bucket()
    s3_server.allow(bucket, USER, *[allowed for allowed in LEAST if allowed != action])
    error = _refusal(s3_server.url(bucket), CALLS[call])
    assert "(403 AccessDenied)" in error.problem
    assert told in error.way_out
    assert not error.transient


@pytest.mark.usefixtures("_user")
def test_s3_with_the_least_permissions(s3_server: S3Server) -> None:
    """The four permissions that the documentation names are enough for everything."""
    bucket = s3_server.bucket()
    s3_server.allow(bucket, USER, *LEAST)
    with contextlib.closing(Url(s3_server.url(bucket)).open()) as store:
        assert store.get("users/a") is None
        version = store.put_over("users/a", b"B", store.put_new("users/a", b"A"))
        with pytest.raises(Conflict):
            store.put_new("users/a", b"C")
        found = store.get("users/a")
        assert found is not None
        assert (found.version, store.names("")) == (version, ["users/a"])
        store.remove("users/a")
        assert store.names("") == []


@pytest.mark.parametrize(
    ("variable", "code"),
    [("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch")],
)
def test_s3_with_wrong_credentials(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, code: str
) -> None:
    """A key that is not known, or a secret that does not fit, is told; the signature is not."""
    monkeypatch.setenv(variable, "WRONG0123456789")
    error = _refusal(s3_server.url(s3_server.bucket()), CALLS["get"])
    assert error.problem == f"does not accept the credentials ({code})"
    assert "AWS_SECRET_ACCESS_KEY" in error.way_out


@pytest.mark.parametrize("call", CALLS)
def test_s3_in_another_region(s3_server: S3Server, call: str) -> None:
    """The region that the server names is told, with the parameter that sets it."""
    error = _refusal(s3_server.url(s3_server.bucket(), region="eu-west-1"), CALLS[call])
    assert error.problem == "is in region us-east-1, not in the one that was asked"
    assert "?region=" in error.way_out


def test_azure_with_a_wrong_key(azure_server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure's refusal names the role; a key that is no base64 is told before any request, and not shown."""
    url = azure_server.url(azure_server.container())
    monkeypatch.setenv("AZURE_STORAGE_KEY", "d3Jvbmc=")
    assert "Storage Blob Data Contributor" in _refusal(url, CALLS["get"]).way_out
    monkeypatch.setenv("AZURE_STORAGE_KEY", "!no-base64!")
    error = _refusal(url, CALLS["get"])
    assert "!no-base64!" not in str(error)
    assert error.problem == "cannot be opened with the settings of the environment"


def test_azure_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL or the environment has to name the storage account."""
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    assert _refusal("azblob://container", CALLS["get"]).problem == "names no storage account"


# What only a cloud says, word for word as it is documented, by a proxy in its place.
_S3 = "<?xml version='1.0'?><Error><Code>{}</Code><Message>m</Message><Signature>s</Signature></Error>"
SAID = [
    pytest.param(403, _S3.format("RequestTimeTooSkewed"), "refuses this machine's clock", False, id="clock"),
    pytest.param(403, _S3.format("InvalidAccessKeyId"), "does not accept the credentials", False, id="key"),
    pytest.param(400, _S3.format("ExpiredToken"), "does not accept the credentials (ExpiredToken)", False, id="token"),
    pytest.param(401, "", "does not accept the credentials (401)", False, id="unauthorized"),
    pytest.param(301, _S3.format("PermanentRedirect"), "is in another region", False, id="redirect"),
    pytest.param(503, _S3.format("SlowDown"), "throttles requests", True, id="slow down"),
    pytest.param(429, "", "throttles requests", True, id="too many"),
    pytest.param(500, _S3.format("InternalError"), "is out of order: it answered 500 InternalError", True, id="500"),
    pytest.param(502, "<html>Bad gateway</html>", "is out of order: it answered 502", True, id="gateway"),
    pytest.param(404, "<html>Not here</html>", "cannot be used: it answered 404", False, id="a page"),
    pytest.param(405, "", "cannot be used: it answered 405", False, id="not allowed"),
    pytest.param(407, "", "cannot be used: it answered 407", False, id="a proxy's login"),
    pytest.param(501, _S3.format("NotImplemented"), "does not take conditional writes", False, id="no conditions"),
    pytest.param(200, "", "does not answer as a store with conditional writes", False, id="no version"),
    pytest.param(
        403,
        _S3.format("AccessDenied").replace("<Message>m", "<Message>not authorized to perform: kms:GenerateDataKey on"),
        "may not be written (403 AccessDenied)",
        False,
        id="kms",
    ),
]


@pytest.mark.parametrize(("status", "body", "problem", "transient"), SAID)
def test_what_a_cloud_says(
    proxied: tuple[HttpProxy, str], status: int, body: str, problem: str, transient: bool
) -> None:
    """Each answer of a cloud, and of what stands before it, becomes a line of our own."""
    proxy, url = proxied
    proxy.faults = lambda _: Answer(status, body.encode())
    error = _refusal(url, CALLS["put_new"])
    assert error.problem.startswith(problem)
    assert error.transient is transient
    assert ("kms:GenerateDataKey" in error.way_out) == ("kms" in body)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_s3_that_asks_for_patience_gets_it(proxied: tuple[HttpProxy, str], code: str) -> None:
    """Writes that met each other are tried again: S3's 409 is no conflict of ours."""
    proxy, url = proxied
    proxy.faults = every(2, Answer(409, _S3.format(code).encode()), writes=False)
    with contextlib.closing(Url(url).open()) as store:
        for number in range(10):
            store.put_new(f"users/{number}", b"A")
        assert len(store.names("")) == 10


def test_a_page_does_not_hide_a_document(proxied: tuple[HttpProxy, str]) -> None:
    """A foreign 404 before the store is an error, not a document that is not there; the same document is there later."""
    proxy, url = proxied
    with contextlib.closing(Url(url).open()) as store:
        store.put_new("users/a", b"A")
        proxy.faults = lambda _: Answer(404, b"<html>no such site</html>")
        for call in (CALLS["get"], CALLS["get_many"]):
            with pytest.raises(LedgerUnusable):
                call(store)
        proxy.faults = nothing
        assert store.get("users/a") is not None


def test_a_throttled_many_is_one_error(proxied: tuple[HttpProxy, str]) -> None:
    """When one of many reads fails, there is one error, and it is that one's."""
    proxy, url = proxied

    def one(exchange: Exchange) -> Fault | None:
        return (
            Answer(403, _S3.format("AccessDenied").encode())
            if exchange.line.split("?")[0].endswith("users/7")
            else None
        )

    proxy.faults = one
    error = _refusal(url, lambda store: store.get_many([f"users/{number}" for number in range(20)]))
    assert error.problem == "may not be read (403 AccessDenied)"


def test_no_credentials(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing gives credentials, how they are set is told."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with contextlib.closing(HttpProxy(1, lambda _: Answer(404))) as machine:  # no machine of a cloud
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{machine.port}")
        error = _refusal(s3_server.url(s3_server.bucket()), CALLS["get"])
    assert error.problem == "cannot be used: no credentials that work were found"
    assert "AWS_ACCESS_KEY_ID" in error.way_out


def test_a_certificate_that_is_not_trusted(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown authority is told, with the variable that names one; with it set all is well."""
    files = certificates.made(tmp_path)
    with contextlib.closing(HttpProxy(s3_server.port, tls=files.context())) as proxy:
        url = s3_server.url(s3_server.bucket(), port=proxy.port).replace("disableSSL=true", "disableSSL=false")
        error = _refusal(url, CALLS["get"])
        assert "certificate that is not trusted" in error.problem
        assert "SSL_CERT_FILE" in error.way_out
        assert not error.transient
        monkeypatch.setenv("SSL_CERT_FILE", str(files.authority))
        with contextlib.closing(Url(url).open()) as store:
            assert store.get("users/a") is None


def test_plain_http_where_tls_was_meant(s3_server: S3Server) -> None:
    """A server that speaks no TLS is told as that."""
    url = s3_server.url(s3_server.bucket()).replace("disableSSL=true", "disableSSL=false")
    assert "speaks no TLS" in _refusal(url, CALLS["get"]).problem


def test_a_host_that_is_not_found() -> None:
    """A name that does not resolve is told, and may pass."""
    error = _refusal("s3://bucket?endpoint=https://nowhere.invalid&s3ForcePathStyle=true", CALLS["get"], patience=0.2)
    assert (error.problem, error.transient) == ("cannot be reached: its host was not found", True)


@pytest.mark.parametrize("url", ["s3://bucket/x", "gs://bucket/x", "azblob://container/x?storage_account=a"])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Without obstore one line says what to install."""
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    error = _refusal(url, CALLS["get"])
    assert (error.problem, error.way_out) == (
        'needs the extra "objects"',
        "Run: pip install 'pulumi-openfunnel[objects]'.",
    )


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("GOOGLE_CREDENTIALS", "no JSON: secret", "cannot be used: Google's credentials are not the JSON"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/secret.json", "cannot be used: the file of GOOGLE_APPLICATION"),
        ("GOOGLE_CREDENTIALS", '{"type": "service_account", "private_key": "secret"}', "cannot be opened with"),
    ],
)
def test_google_with_credentials_that_are_none(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    """Credentials of Google's that cannot be read are told, and not shown."""
    monkeypatch.setenv(variable, value)
    error = _refusal("gs://bucket/x", CALLS["get"])
    assert error.problem.startswith(problem)
    assert "secret" not in str(error)


def test_nothing_of_a_document_lies_elsewhere(s3_server: S3Server) -> None:
    """Documents lie under the URL's prefix, and nothing else is made in the bucket."""
    bucket = s3_server.bucket()
    with contextlib.closing(Url(s3_server.url(bucket)).open()) as store:
        store.put_new("users/a", b"A")
    (file,) = [file for file in s3_server.files(bucket) if ".sgwtmp" not in file.parts]
    assert os.fspath(file).endswith(f"{bucket}/led ger/of-tests/users/a")
