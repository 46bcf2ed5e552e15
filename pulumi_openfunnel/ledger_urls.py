"""The one setting that says where the ledger lies, read into a place. Pure; nothing is opened or made."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from .errors import InvalidSetting
from .places import AzurePlace, FilePlace, GoogleCloudPlace, Place, PostgresPlace, S3Place

SETTING = "openfunnel:ledger"
OFF = "off"
PREFIX = "openfunnel-ledger"
"""What a ledger's documents lie under in a bucket that is Pulumi's as well."""

_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,221}")
_HOSTS = re.compile(
    r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._%-]*)(:[0-9]{1,5})?(,(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._%-]+)(:[0-9]{1,5})?)*"
)
_DATABASE = re.compile(r"/?|/[A-Za-z0-9._~%-]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_]{1,40}")
_ENDPOINT = re.compile(r"(https?://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?")
_WORDS = re.compile(r"[A-Za-z0-9._:/@+=, -]{1,2048}")

_EXAMPLES = {
    "s3": f"{SETTING} 's3://bucket/prefix?region=eu-central-1'",
    "gs": f"{SETTING} gs://bucket/prefix",
    "azblob": f"{SETTING} 'azblob://container/prefix?storage_account=account'",
    "postgres": f"--secret {SETTING}",
    "postgresql": f"--secret {SETTING}",
}

_TRUE = ("1", "t", "true")  # as Go's strconv.ParseBool, which Pulumi reads them with
_FALSE = ("0", "f", "false")

# What gocloud.dev's and Pulumi's URLs take, and what of it changes nothing for a few small documents.
_S3_IGNORED = (
    "awssdk",
    "accelerate",
    "rate_limiter_capacity",
    "hostname_immutable",
    "request_checksum_calculation",
    "response_checksum_validation",
    "no_tmp_dir",
)
_GS_IGNORED = ("private_key_path", "no_tmp_dir")


def parse(value: str | None) -> Place | None:
    """The place that a value of the setting names.

    Args:
        value: of ``openfunnel:ledger`` or OPENFUNNEL_LEDGER; None when neither is set.

    Returns:
        The place; None when the ledger is off.

    Raises:
        InvalidSetting: one line that says what is wrong. It never repeats a value, which may hold a password.
    """
    if value is None:
        return _default()
    if value.lower() == OFF:
        return None
    scheme, separator, _ = value.partition("://")
    if not separator:
        return _file(value)
    read = _SCHEMES.get(scheme.lower())
    if read is None:
        _wrong("starts with a scheme that is not known: s3://, gs://, azblob:// and postgres:// are")
    return read(_split(value))


def beside_state(backend: str | None) -> str | None:
    """The ledger's URL that belongs to the place of Pulumi's state, for advice.

    Args:
        backend: the value of PULUMI_BACKEND_URL.

    Returns:
        For a bucket the same URL, with a prefix of the ledger's own; for PostgreSQL, whose URL may hold a password,
        the text ``"$PULUMI_BACKEND_URL"``; None for any other backend.
    """
    url = (backend or "").strip()
    try:
        place = parse(url) if "://" in url else None
    except InvalidSetting:
        return None
    if isinstance(place, PostgresPlace):
        return '"$PULUMI_BACKEND_URL"'
    if place is None or isinstance(place, FilePlace):
        return None
    query = urlsplit(url).query
    own = replace(place, prefix=f"{place.prefix}/{PREFIX}".lstrip("/"))
    return shlex.quote(f"{own}?{query}" if query else str(own))


def _default() -> FilePlace:
    """The file in the user's state directory, such as ``~/.local/state/pulumi-openfunnel/ledger.db``."""
    import platformdirs

    try:
        path = platformdirs.user_state_path("pulumi-openfunnel", appauthor=False) / "ledger.db"
    except RuntimeError:
        path = None
    if path is None or not path.is_absolute():  # no HOME, and no entry for the user; older versions take ~ as a name
        _wrong("is not set, and this user has no home directory")
    return FilePlace(path, default=True)


def _file(value: str) -> FilePlace:
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        path = None
    if path is None:
        _wrong("names a home directory that is not known")
    if "\0" in value or not path.is_absolute() or path.name in ("", ".."):
        _wrong("is not the absolute path of a file")
    return FilePlace(path)


def _split(value: str) -> SplitResult:
    try:
        url = urlsplit(value)
    except ValueError:
        url = None
    if url is None or not value.isascii() or not value.isprintable() or " " in value:
        _wrong("is not a URL")
    if url.fragment or value.endswith("#"):
        _wrong("holds a #; write it as %23")
    return url


def _s3(url: SplitResult) -> S3Place:
    bucket, prefix = _bucket(url)
    query = _Query(url, _S3_IGNORED)
    plain = query.flag("disableSSL") or query.flag("disable_https")
    endpoint = query.one("endpoint", _ENDPOINT)
    if endpoint is not None and "://" not in endpoint:
        endpoint = f"{'http' if plain else 'https'}://{endpoint}"
    place = S3Place(
        bucket,
        prefix,
        region=query.one("region"),
        endpoint=endpoint.removesuffix("/") if endpoint else None,
        path_style=bool(query.flag("s3ForcePathStyle") or query.flag("use_path_style")),
        profile=query.one("profile"),
        role=query.one("role"),
        anonymous=bool(query.flag("anonymous")),
        dualstack=bool(query.flag("dualstack")),
        fips=bool(query.flag("fips")),
        encryption=query.one("ssetype"),
        encryption_key=query.one("kmskeyid"),
    )
    query.nothing_else()
    return place


def _google(url: SplitResult) -> GoogleCloudPlace:
    bucket, prefix = _bucket(url)
    query = _Query(url, _GS_IGNORED)
    anonymous = query.flag("anonymous") or query.one("access_id") == "-"
    place = GoogleCloudPlace(bucket, prefix, anonymous=bool(anonymous), universe=query.one("universe_domain"))
    query.nothing_else()
    return place


def _azure(url: SplitResult) -> AzurePlace:
    container, prefix = _bucket(url)
    query = _Query(url, ("no_tmp_dir",))
    place = AzurePlace(
        container,
        prefix,
        account=query.one("storage_account"),
        domain=query.one("domain"),
        protocol=query.one("protocol"),
        emulator=query.flag("localemu"),
        cdn=query.flag("cdn"),
    )
    query.nothing_else()
    return place


def _postgres(url: SplitResult) -> PostgresPlace:
    """A URL that libpq reads as we do: it takes the first @ and the first slash where we take the last."""
    user, _, hosts = url.netloc.rpartition("@")
    if "@" in user or not _HOSTS.fullmatch(hosts) or not _DATABASE.fullmatch(url.path):
        _wrong("is not a URL of PostgreSQL; in a password, write @ as %40, / as %2F, : as %3A, ? as %3F", url.scheme)
    query = _Query(url, ())
    query.take("table")  # Pulumi's own
    rest = query.rest()
    options = urlencode(rest, quote_via=quote)
    again = f"postgresql://{url.netloc}{url.path}" + (f"?{options}" if options else "")
    # libpq takes the parameters in place of the URL's host.
    local = _is_local(rest.get("hostaddr") or rest.get("host") or hosts)
    return PostgresPlace(again, f"postgres://{hosts}{url.path}", local)


_SCHEMES: dict[str, Callable[[SplitResult], Place]] = {
    "s3": _s3,
    "gs": _google,
    "azblob": _azure,
    "postgres": _postgres,
    "postgresql": _postgres,
}


def _is_local(hosts: str) -> bool:
    """Whether all of the hosts are this machine, or a socket on it."""
    names = [re.sub(r"(?<!:):[0-9]+$", "", host).strip("[]") for host in hosts.split(",")]
    return all(name in ("", "localhost", "::1") or re.fullmatch(r"127(\.[0-9]{1,3}){3}|/.*", name) for name in names)


class _Query:
    """The parameters of a URL, each of which is read once."""

    def __init__(self, url: SplitResult, ignored: tuple[str, ...]) -> None:
        pairs = parse_qsl(url.query, keep_blank_values=True)
        if len(dict(pairs)) < len(pairs) or not all(_PARAMETER.fullmatch(name) for name, _ in pairs):
            _wrong("has a query that cannot be read, or a parameter in it twice", url.scheme)
        self._scheme = url.scheme
        self._found = {name: value for name, value in pairs if name not in ignored}
        self._known: list[str] = []

    def take(self, name: str) -> str | None:
        self._known.append(name)
        return self._found.pop(name, None) or None

    def one(self, name: str, form: re.Pattern[str] = _WORDS) -> str | None:
        value = self.take(name)
        if value is not None and not form.fullmatch(value):
            _wrong(f"has a {name} that cannot be used", self._scheme)
        return value

    def flag(self, name: str) -> bool | None:
        value = (self.take(name) or "").lower()
        if value not in ("", *_TRUE, *_FALSE):
            _wrong(f"has a {name} that is neither true nor false", self._scheme)
        return value in _TRUE if value else None

    def rest(self) -> Mapping[str, str]:
        return self._found

    def nothing_else(self) -> None:
        if self._found:
            known = ", ".join(self._known)
            _wrong(f'has "{min(self._found)}" in its query, which is not known; known are {known}', self._scheme)


def _bucket(url: SplitResult) -> tuple[str, str]:
    prefix = unquote(url.path).strip("/")
    if not _BUCKET.fullmatch(url.netloc):
        _wrong(f"does not name a bucket behind {url.scheme}://", url.scheme)
    if prefix and (not prefix.isprintable() or any(part in ("", ".", "..") for part in prefix.split("/"))):
        _wrong(
            "has a prefix with an empty part, or with . or .. in it, or with a character that is not printable",
            url.scheme,
        )
    return url.netloc, prefix


def _wrong(problem: str, scheme: str = "") -> NoReturn:
    raise InvalidSetting(SETTING, f"{SETTING} {problem}. {_way_out(scheme)}")


def _way_out(scheme: str = "") -> str:
    example = _EXAMPLES.get(scheme, f"{SETTING} /path/to/ledger.db")
    return f"Run: pulumi config set {example} (or set OPENFUNNEL_LEDGER)."
