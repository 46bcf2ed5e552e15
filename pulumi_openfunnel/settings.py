"""The stack's configuration and the environment, read into settings. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import mapping
from .errors import InvalidAddress, InvalidSetting

DEFAULT_BASE_URL = "https://api.openfunnel.dev"
DEFAULT_TIMEOUT = 300.0  # seconds

USER_ID = "openfunnel:userId"
API_KEY = "openfunnel:apiKey"
BASE_URL = "openfunnel:baseUrl"
TIMEOUT = "openfunnel:timeout"

_VARIABLES = {
    USER_ID: "OPENFUNNEL_USER_ID",
    API_KEY: "OPENFUNNEL_API_KEY",
    BASE_URL: "OPENFUNNEL_BASE_URL",
}
_COMMANDS = {
    USER_ID: f"pulumi config set {USER_ID} you@yourco.com",
    API_KEY: f"pulumi config set --secret {API_KEY}",
    BASE_URL: f"pulumi config set {BASE_URL} {DEFAULT_BASE_URL}",
    TIMEOUT: f"pulumi config set {TIMEOUT} {DEFAULT_TIMEOUT:g}",
}

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Settings:
    """Who asks, where, with which key.

    Attributes:
        user_id: the orchestrator's own email, as the X-User-ID header carries it.
        domain: its domain in ASCII, where users are created.
        base_url: scheme, host and port of the API, without a slash at the end.
        api_key: the provisioner key; None when none is set. Not shown by ``repr``.
        timeout: seconds of trying for one user.
    """

    user_id: str
    domain: str
    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float = DEFAULT_TIMEOUT

    def require_api_key(self) -> str:
        """The provisioner key.

        Raises:
            InvalidSetting: when none is set.
        """
        if self.api_key is None:
            raise InvalidSetting(API_KEY, unset(API_KEY))
        return self.api_key


def read(config: Callable[[str], object], environ: Mapping[str, str]) -> Settings:
    """Read all settings: the stack's config first, then the environment; an empty value counts as unset.

    Args:
        config: gives the value of a full key such as ``"openfunnel:userId"``; None when unset.
        environ: the environment's variables.

    Raises:
        InvalidSetting: with one line that says which command sets it. No message repeats a value, because a
            key may stand in the wrong place.
    """

    def value(setting: str) -> str | None:
        found = config(setting)
        if not _text(found) and setting in _VARIABLES:
            found = environ.get(_VARIABLES[setting])
        return _text(found) or None

    user_id, domain = _user_id(value(USER_ID))
    return Settings(
        user_id=user_id,
        domain=domain,
        base_url=_base_url(value(BASE_URL) or DEFAULT_BASE_URL),
        api_key=_api_key(value(API_KEY)),
        timeout=_timeout(value(TIMEOUT)),
    )


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine: a loopback address literal, or ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_key(text: str) -> bool:
    """Whether a text can be a key: visible ASCII, nothing else. A header could not carry it otherwise."""
    return bool(text) and all("!" <= c <= "~" for c in text)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _user_id(value: str | None) -> tuple[str, str]:
    if value is None:
        raise InvalidSetting(USER_ID, unset(USER_ID))
    try:
        address = mapping.parse(value)
    except InvalidAddress:
        address = None  # its message repeats the value, so it is not to be this error's context
    if address is None:
        raise InvalidSetting(USER_ID, _wrong(USER_ID, "is not an email address"))
    user_id = value if value.isascii() else f"{address.local}@{address.ascii_domain}"
    return user_id, address.ascii_domain


def _api_key(value: str | None) -> str | None:
    if value is not None and not is_key(value):
        raise InvalidSetting(API_KEY, _wrong(API_KEY, "holds a space, a line break or another character no key has"))
    return value


def _base_url(value: str) -> str:
    """Scheme, host and port in lower case, when a request can be made to them."""
    problem = _base_url_problem(value)
    if problem:
        raise InvalidSetting(BASE_URL, _wrong(BASE_URL, problem))
    return value.lower().removesuffix("/")


def _base_url_problem(value: str) -> str | None:  # noqa: PLR0911 - a table
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https") or not url.netloc:
        return "does not start with https://"
    if "@" in url.netloc:
        return "holds a user name or password"
    if url.path not in ("", "/") or url.query or url.fragment:
        return "has something behind the host; the API's paths are added to it"
    rebuilt = f"{url.scheme}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    if not _is_host(host) or rebuilt != value.lower().removesuffix("/"):
        return "is not a URL"
    if url.scheme == "http" and not is_loopback(host):
        return "is plain http to another machine, which would show the key on the way"
    return None


def _is_host(host: str) -> bool:
    """Whether a host is an IP address, or a name that a resolver takes."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
    else:
        return True
    return all(_LABEL.fullmatch(label) and _is_idna(label) for label in labels) and not labels[-1].isdigit()


def _is_idna(label: str) -> bool:
    try:
        return bool(label.encode("ascii").decode("idna"))
    except UnicodeError:
        return False


def _timeout(value: str | None) -> float:
    if value is None:
        return DEFAULT_TIMEOUT
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise InvalidSetting(TIMEOUT, _wrong(TIMEOUT, "is not a number of seconds between 0 and 86400"))
    return seconds


def unset(setting: str) -> str:
    """The line for a setting that is missing."""
    return f"{setting} is not set. {_way_out(setting)}"


def _wrong(setting: str, problem: str) -> str:
    return f"{setting} {problem}. {_way_out(setting)}"


def _way_out(setting: str) -> str:
    variable = _VARIABLES.get(setting)
    other = f" (or set {variable})" if variable else ""
    return f"Run: {_COMMANDS[setting]}{other}."
