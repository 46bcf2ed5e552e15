"""The setting that says where the ledger lies."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import InvalidSetting
from pulumi_openfunnel.ledger_urls import beside_state, parse
from pulumi_openfunnel.places import AzurePlace, FilePlace, GoogleCloudPlace, Place, PostgresPlace, S3Place

from ..servers import told

SECRET = "pass-word"

PLACES: list[tuple[str, Place | None, str]] = [
    ("/a/ledger.db", FilePlace(Path("/a/ledger.db")), "/a/ledger.db"),
    ("off", None, "None"),
    ("OFF", None, "None"),
    ("s3://bucket", S3Place("bucket"), "s3://bucket"),
    ("s3://bucket/", S3Place("bucket"), "s3://bucket"),
    ("S3://bucket/a/b/?region=eu-west-1", S3Place("bucket", "a/b", region="eu-west-1"), "s3://bucket/a/b"),
    ("s3://bucket/a%20b", S3Place("bucket", "a b"), "s3://bucket/a%20b"),
    (
        "s3://bucket?endpoint=minio:9000&disableSSL=true&s3ForcePathStyle=true&profile=acme&awssdk=v2",
        S3Place("bucket", endpoint="http://minio:9000", path_style=True, profile="acme"),
        "s3://bucket",
    ),
    (
        "s3://bucket?endpoint=https://minio:9000/&use_path_style=1&disable_https=f",
        S3Place("bucket", endpoint="https://minio:9000", path_style=True),
        "s3://bucket",
    ),
    (
        "s3://bucket?ssetype=aws:kms&kmskeyid=arn:aws:kms:eu-west-1:1:key/x&role=arn:aws:iam::1:role/x&fips=true",
        S3Place(
            "bucket",
            fips=True,
            role="arn:aws:iam::1:role/x",
            encryption="aws:kms",
            encryption_key="arn:aws:kms:eu-west-1:1:key/x",
        ),
        "s3://bucket",
    ),
    ("gs://bucket/a", GoogleCloudPlace("bucket", "a"), "gs://bucket/a"),
    ("gs://bucket?access_id=-", GoogleCloudPlace("bucket", anonymous=True), "gs://bucket"),
    (
        "azblob://box/a?storage_account=acme&domain=127.0.0.1:1&protocol=http&localemu=true",
        AzurePlace("box", "a", account="acme", domain="127.0.0.1:1", protocol="http", emulator=True),
        "azblob://box/a",
    ),
    ("azblob://$root", AzurePlace("$root"), "azblob://$root"),
]

POSTGRES = [
    # given, as libpq takes it, the place for messages, whether it is this machine's
    ("postgres://u:pass-word@h:5432/db", "postgresql://u:pass-word@h:5432/db", "postgres://h:5432/db", False),
    ("postgresql://u:pass-word@h/db", "postgresql://u:pass-word@h/db", "postgres://h/db", False),
    ("postgres://u:pass-word%40%2F@h/db?table=t", "postgresql://u:pass-word%40%2F@h/db", "postgres://h/db", False),
    (
        "postgres://u:pass-word@h/db?table=t&sslmode=disable",
        "postgresql://u:pass-word@h/db?sslmode=disable",
        "postgres://h/db",
        False,
    ),
    ("postgres://h1:1,h2:2/db", "postgresql://h1:1,h2:2/db", "postgres://h1:1,h2:2/db", False),
    ("postgres://127.0.0.1:1,h2/db", "postgresql://127.0.0.1:1,h2/db", "postgres://127.0.0.1:1,h2/db", False),
    (
        "postgres://127.0.0.1.evil.com/db",
        "postgresql://127.0.0.1.evil.com/db",
        "postgres://127.0.0.1.evil.com/db",
        False,
    ),
    ("postgres://localhost:1/db", "postgresql://localhost:1/db", "postgres://localhost:1/db", True),
    ("postgres://[::1]:1/db", "postgresql://[::1]:1/db", "postgres://[::1]:1/db", True),
    ("postgres://[::1]/db", "postgresql://[::1]/db", "postgres://[::1]/db", True),
    ("postgres://[2001:db8::1]:1/db", "postgresql://[2001:db8::1]:1/db", "postgres://[2001:db8::1]:1/db", False),
    ("postgres:///db?host=/run/pg", "postgresql:///db?host=%2Frun%2Fpg", "postgres:///db", True),
    (
        "postgres:///db?host=far&password=pass-word",
        "postgresql:///db?host=far&password=pass-word",
        "postgres:///db",
        False,
    ),
    (
        "postgres://localhost/db?hostaddr=9.9.9.9",
        "postgresql://localhost/db?hostaddr=9.9.9.9",
        "postgres://localhost/db",
        False,
    ),
    ("postgres://", "postgresql://", "postgres://", True),
]

WRONG = [
    ("ledger.db", "is not the absolute path of a file"),
    ("/", "is not the absolute path of a file"),
    ("/a/..", "is not the absolute path of a file"),
    ("/a\0b", "is not the absolute path of a file"),
    ("~nobody-of-that-name/ledger.db", "names a home directory that is not known"),
    ("https://bucket/pass-word", "starts with a scheme that is not known"),
    ("file:///a/ledger.db", "starts with a scheme that is not known"),
    ("s3://", "does not name a bucket"),
    ("s3:///prefix", "does not name a bucket"),
    ("s3://key:pass-word@bucket/prefix", "does not name a bucket"),
    ("s3://bucket/a//b", "has a prefix with an empty part"),
    ("s3://bucket/a/../b", "has a prefix with an empty part"),
    ("s3://bucket/a%0Ab", "has a prefix with an empty part"),
    ("s3://bucket/a b", "is not a URL"),
    ("s3://bucket?regoin=eu-west-1", 'has "regoin" in its query, which is not known; known are'),
    ("s3://bucket?region=a&region=b", "has a query that cannot be read, or a parameter in it twice"),
    ("s3://bucket?pass-word!=1", "has a query that cannot be read"),
    ("s3://bucket?disableSSL=pass-word", "has a disableSSL that is neither true nor false"),
    ("s3://bucket?endpoint=http://u:pass-word@h", "has a endpoint that cannot be used"),
    ("gs://bucket?region=x", 'has "region" in its query'),
    ("azblob://box?account=x", 'has "account" in its query'),
    ("postgres://u:pass-word@x@h/db", "is not a URL of PostgreSQL"),
    ("postgres://u:pass-word/x@h/db", "is not a URL of PostgreSQL"),
    ("postgres://u:12/pass-word@h/db", "is not a URL of PostgreSQL"),
    ("postgres://u:pass-word#x@h/db", "holds a #"),
    ("postgres://u:12?pass-word@h/db", "has a query that cannot be read"),
    ("postgres://u:[pass-word@h/db", "is not a URL"),
    ("postgres://u:pass-word@h:port/db", "is not a URL of PostgreSQL"),
    ("postgres://u:pass-word@h/db/more", "is not a URL of PostgreSQL"),
]


@pytest.mark.parametrize(("value", "place", "name"), PLACES)
def test_a_value_names_a_place(value: str, place: Place | None, name: str) -> None:
    """Paths, buckets with the query of Pulumi's own URLs, and off."""
    assert parse(value) == place
    assert str(parse(value)) == name


@pytest.mark.parametrize(("value", "url", "name", "local"), POSTGRES)
def test_a_url_of_postgresql(value: str, url: str, name: str, local: bool) -> None:
    """The URL goes to libpq without Pulumi's own parameter; neither the place's name nor its repr holds the password."""
    place = parse(value)
    assert place == PostgresPlace(url, name, local)
    assert SECRET not in f"{place} {place!r}"


@pytest.mark.parametrize(("value", "problem"), WRONG)
def test_a_wrong_value_is_one_line(value: str, problem: str) -> None:
    """What is wrong is told with the command that sets it, and no value, which may hold a password, is repeated."""
    with pytest.raises(InvalidSetting) as caught:
        parse(value)
    message = str(caught.value)
    assert message.startswith(f"openfunnel:ledger {problem}")
    assert "Run: pulumi config set" in message
    assert message.isprintable()
    assert caught.value.setting == "openfunnel:ledger"
    assert SECRET not in told(caught.value)


def test_unset_is_a_file_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a setting the ledger lies in the user's state directory, and says that nobody named it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = parse(None)
    assert isinstance(place, FilePlace)
    assert place.default
    assert place.path.is_absolute()
    assert place.path.name == "ledger.db"


@pytest.mark.parametrize("home", [None, "relative"])
def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Where there is no home directory, one line says how to name a place."""
    import pwd

    def nobody(_uid: int) -> pwd.struct_passwd:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    with pytest.raises(InvalidSetting, match=r"this user has no home directory\. Run: pulumi config set openfunnel:l"):
        parse(None)


BACKENDS = [
    ("s3://state", "s3://state/openfunnel-ledger"),
    ("s3://state/pulumi?region=eu-west-1", "'s3://state/pulumi/openfunnel-ledger?region=eu-west-1'"),
    (
        "s3://state?endpoint=h:1&s3ForcePathStyle=true",
        "'s3://state/openfunnel-ledger?endpoint=h:1&s3ForcePathStyle=true'",
    ),
    ("gs://state", "gs://state/openfunnel-ledger"),
    ("azblob://box?storage_account=a", "'azblob://box/openfunnel-ledger?storage_account=a'"),
    ("postgres://u:pass-word@h/db", '"$PULUMI_BACKEND_URL"'),
    (" s3://state ", "s3://state/openfunnel-ledger"),
    ("https://api.pulumi.com", None),
    ("file:///tmp/state", None),
    ("s3://state?nonsense=1", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("backend", "advice"), BACKENDS)
def test_the_ledger_beside_the_state(backend: str | None, advice: str | None) -> None:
    """For a bucket the advice is its URL with a prefix of the ledger's own, as a shell takes it and the setting does."""
    assert beside_state(backend) == advice
    if advice is not None and "$" not in advice:
        (word,) = shlex.split(advice)
        assert parse(word) is not None
