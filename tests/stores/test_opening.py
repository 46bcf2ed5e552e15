"""A bucket is opened with the URL that Pulumi takes for its state, and with the same credentials."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.objects.opening import opened
from pulumi_openfunnel.ledger_urls import parse
from pulumi_openfunnel.places import AzurePlace, GoogleCloudPlace, S3Place

from ..servers import ScriptedServer, answer
from . import azure, s3
from .azure import AzureServer
from .helpers import IMPATIENCE, Url, check_line
from .processes import line, process
from .proxies import Answer, HttpProxy
from .s3 import S3Server

ADDRESSES = [
    ("s3://b", {}, None, True),
    ("s3://b?s3ForcePathStyle=true", {}, None, False),
    ("s3://with.dots", {}, None, False),
    ("s3://b?endpoint=minio:9000", {}, "https://b.minio:9000", True),
    ("s3://b?endpoint=minio:9000&disableSSL=true&use_path_style=true", {}, "http://minio:9000", False),
    ("s3://b?endpoint=http://10.0.0.1:9000", {}, "http://10.0.0.1:9000", False),
    ("s3://b?fips=true&region=us-east-2", {}, "https://b.s3-fips.us-east-2.amazonaws.com", True),
    ("s3://b?dualstack=true&region=eu-west-1", {}, "https://b.s3.dualstack.eu-west-1.amazonaws.com", True),
    ("s3://b", {"AWS_ENDPOINT_URL": "https://minio"}, "https://b.minio", True),
    ("s3://b", {"AWS_ENDPOINT_URL": "https://x", "AWS_ENDPOINT_URL_S3": "https://minio"}, "https://b.minio", True),
]
REGIONS = [
    ("s3://b?region=eu-west-1", {"AWS_REGION": "eu-west-2"}, "eu-west-1"),
    ("s3://b", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
    ("s3://b", {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
    ("s3://b", {}, "us-east-1"),
]
ENDPOINTS = [
    ("azblob://c?storage_account=a", {}, "https://a.blob.core.windows.net"),
    ("azblob://c?storage_account=a&domain=blob.core.usgovcloudapi.net", {}, "https://a.blob.core.usgovcloudapi.net"),
    ("azblob://c?storage_account=a&domain=cdn.example.com&cdn=true", {}, "https://cdn.example.com"),
    ("azblob://c?storage_account=a&domain=h:1&protocol=http&localemu=true", {}, "http://h:1/a"),
    ("azblob://c?storage_account=a&domain=localhost:1&protocol=http", {}, "http://localhost:1/a"),
    ("azblob://c", {"AZURE_STORAGE_ACCOUNT": "b"}, "https://b.blob.core.windows.net"),
    ("azblob://c?storage_account=a", {"AZURE_STORAGE_ACCOUNT": "b"}, "https://a.blob.core.windows.net"),
    ("azblob://c?storage_account=a", {"AZURE_STORAGE_DOMAIN": "d"}, "https://a.d"),
    (
        "azblob://c",
        {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=b;AccountKey=eA==;EndpointSuffix=core.chinacloudapi.cn"},
        "https://b.blob.core.chinacloudapi.cn",
    ),
]

LAZY = """
import sys
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import beside_state, parse
parse("postgres://u:p@h/d"), parse("gs://b"), beside_state("s3://b")
store = store_at(parse(sys.argv[1]))
store.put_new("users/a", b"A")
store.close()
heavy = {"obstore", "psycopg", "psycopg_pool", "boto3", "pulumi"}
print(sorted({name.partition(".")[0] for name in sys.modules if name != "pulumi_openfunnel"} & heavy))
"""


def _config(url: str, environ: dict[str, str]) -> dict[str, object]:
    place = parse(url)
    assert isinstance(place, S3Place | GoogleCloudPlace | AzurePlace)
    return dict(opened(place, IMPATIENCE, environ).store.config or {})


@pytest.mark.parametrize(("url", "environ", "endpoint", "virtual"), ADDRESSES)
def test_where_s3_is_asked(url: str, environ: dict[str, str], endpoint: str | None, virtual: bool) -> None:
    """The address is the one that the AWS SDK comes to, for a URL and the environment."""
    config = _config(url, environ)
    assert config.get("endpoint_url_s3", config.get("aws_endpoint_url_s3")) == endpoint
    assert str(config["virtual_hosted_style_request"]) == str(virtual).lower()


@pytest.mark.parametrize(("url", "environ", "region"), REGIONS)
def test_which_region_is_asked(url: str, environ: dict[str, str], region: str) -> None:
    """The URL's region comes first, then the environment's."""
    assert _config(url, environ)["region"] == region


def test_encryption_is_passed_on() -> None:
    """What the server is to encrypt with is asked for with each write."""
    config = _config("s3://b?ssetype=aws:kms&kmskeyid=arn:aws:kms:eu-west-1:1:key/x", {})
    assert (config["server_side_encryption"], config["sse_kms_key_id"]) == ("aws:kms", "arn:aws:kms:eu-west-1:1:key/x")


@pytest.mark.parametrize(("url", "environ", "endpoint"), ENDPOINTS)
def test_where_azure_is_asked(url: str, environ: dict[str, str], endpoint: str) -> None:
    """The address is the one that gocloud.dev comes to, for a URL and the environment."""
    assert _config(url, {"AZURE_STORAGE_KEY": "eA==", **environ})["endpoint"] == endpoint


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """AWS configuration files instead of variables."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = f"aws_access_key_id = {s3.ACCESS_KEY}\naws_secret_access_key = {s3.SECRET_KEY}\n"
    (tmp_path / "credentials").write_text(f"[default]\n{keys}[acme]\n{keys}")
    (tmp_path / "config").write_text("[profile acme]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


def _works(url: str) -> None:
    with contextlib.closing(Url(url).open(patience=IMPATIENCE)) as store:
        version = store.put_new("users/a", b"A")
        found = store.get("users/a")
        assert found is not None
        assert found.version == version


def _refusal(url: str) -> LedgerUnusable:
    with pytest.raises(LedgerUnusable) as caught:
        _works(url)
    check_line(caught.value, url)
    return caught.value


@pytest.mark.usefixtures("profiles")
def test_s3_takes_aws_configuration_files(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile is named by the URL or by AWS_PROFILE; without a name it is the default one, and boto3 reads it."""
    _works(s3_server.url(s3_server.bucket()))
    _works(f"{s3_server.url(s3_server.bucket())}&profile=acme")
    monkeypatch.setenv("AWS_PROFILE", "acme")
    _works(s3_server.url(s3_server.bucket()))


@pytest.mark.usefixtures("profiles")
def test_variables_come_before_a_named_profile(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the AWS SDK, AWS_PROFILE does not count where there is a key in the environment; a URL's profile does."""
    url = s3_server.url(s3_server.bucket())
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
    _works(url)
    assert '"nobody"' in _refusal(f"{url}&profile=nobody").problem


@pytest.mark.usefixtures("profiles")
def test_a_profiles_region_is_asked(s3_server: S3Server) -> None:
    """A profile's region is taken where the URL names none."""
    url = s3_server.url(s3_server.bucket()).replace("region=us-east-1&", "profile=acme&")
    assert _refusal(url).problem == "is in region us-east-1, not in the one that was asked"


@pytest.mark.usefixtures("profiles")
def test_a_profile_that_is_not_there(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that no file holds is named; where boto3 is missing, that is said."""
    url = f"{s3_server.url(s3_server.bucket())}&profile=nobody"
    assert _refusal(url).problem == 'cannot be used: the AWS profile "nobody" is not there, or cannot be read'
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert "pip install boto3" in _refusal(url).way_out


def test_aws_configuration_that_cannot_be_read(s3_server: S3Server, profiles: Path) -> None:
    """A file of AWS's that is damaged is told, and nothing of it is shown."""
    (profiles / "credentials").write_text("secret secret\n[default")
    error = _refusal(s3_server.url(s3_server.bucket()))
    assert error.problem == "cannot be used: the AWS configuration is not there, or cannot be read"
    (profiles / "credentials").write_text("[default]\naws_access_key_id = secret\n")
    assert "secret" not in str(_refusal(s3_server.url(s3_server.bucket())))


def test_s3_takes_a_role(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is assumed with the credentials at hand; one that is refused is told without what AWS said."""
    expires = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)).isoformat()
    credentials = (
        f"<AccessKeyId>{s3.ACCESS_KEY}</AccessKeyId><SecretAccessKey>{s3.SECRET_KEY}</SecretAccessKey>"
        f"<SessionToken></SessionToken><Expiration>{expires}</Expiration>"
    )
    result = f"<AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult>"
    given = Answer(200, f"<AssumeRoleResponse>{result}</AssumeRoleResponse>".encode())
    refused = Answer(
        403, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>secret</Message></Error></ErrorResponse>"
    )
    url = f"{s3_server.url(s3_server.bucket())}&role=arn:aws:iam::123456789012:role/ledger"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODYELSE")
    with contextlib.closing(HttpProxy(1, lambda _: given)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{sts.port}")
        _works(url)
        sts.faults = lambda _: refused
        assert _refusal(url).problem == "cannot be used: no credentials that work were found"


def test_azure_takes_a_connection_string(azure_server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Account, key and address may come in one variable, as Pulumi takes them."""
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    endpoint = f"http://127.0.0.1:{azure_server.port}/{azure.ACCOUNT}"
    text = f"DefaultEndpointsProtocol=http;AccountName={azure.ACCOUNT};AccountKey={azure.KEY};BlobEndpoint={endpoint};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    _works(f"azblob://{azure_server.container()}/ledger")


def test_azure_takes_a_shared_access_signature(azure_server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SAS token of the account is enough."""
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    expires = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"sp": "rwdlc", "ss": "b", "srt": "sco", "se": expires, "spr": "https,http", "sv": "2020-08-04"}
    text = f"{azure.ACCOUNT}\nrwdlc\nb\nsco\n\n{expires}\n\nhttps,http\n2020-08-04\n"
    signature = hmac.new(base64.b64decode(azure.KEY), text.encode(), hashlib.sha256).digest()
    monkeypatch.setenv(
        "AZURE_STORAGE_SAS_TOKEN", "?" + urlencode({**fields, "sig": base64.b64encode(signature).decode()})
    )
    _works(azure_server.url(azure_server.container()))


def test_google_takes_an_access_token(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of GOOGLE_OAUTH_ACCESS_TOKEN goes out with the request."""
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.token")
    monkeypatch.setenv("GOOGLE_BASE_URL", server.base_url)
    server.script = lambda _: [answer(404, b"<Error><Code>NoSuchKey</Code></Error>")]
    with contextlib.closing(Url("gs://bucket/x").open()) as store:
        assert store.get("users/a") is None
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer ya29.token"}


def test_google_federation_needs_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of a workload identity pool are Google's library's to use, which is named where it is missing."""
    monkeypatch.setitem(sys.modules, "google.auth", None)
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"type": "external_account", "audience": "a"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert "pip install google-auth requests aiohttp" in _refusal("gs://bucket/x").way_out


def test_who_has_no_extra_loads_none(tmp_path: Path) -> None:
    """A ledger in a file, and the reading of any setting, load neither obstore nor psycopg."""
    with process(LAZY, str(tmp_path / "ledger.db")) as child:
        assert line(child) == "[]"
