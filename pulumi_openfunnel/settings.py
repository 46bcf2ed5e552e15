"""The stack's configuration and the environment, read into settings. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import base_url, emails, ledger_urls
from .errors import InvalidInput, InvalidSetting
from .places import Place

DEFAULT_BASE_URL = "https://api.openfunnel.dev"
DEFAULT_TIMEOUT = 300.0  # seconds

USER_ID = "openfunnel:userId"
API_KEY = "openfunnel:apiKey"
BASE_URL = "openfunnel:baseUrl"
TIMEOUT = "openfunnel:timeout"
LEDGER = "openfunnel:ledger"
ORCHESTRATORS = "openfunnel:orchestrators"

LEDGER_KEY = "OPENFUNNEL_LEDGER_KEY"
"""The variable that holds the ledger's own key; the stack's config, which is part of the state, never does."""

OFF = "off"

_VARIABLES = {
    USER_ID: "OPENFUNNEL_USER_ID",
    API_KEY: "OPENFUNNEL_API_KEY",
    BASE_URL: "OPENFUNNEL_BASE_URL",
    LEDGER: "OPENFUNNEL_LEDGER",
}
_COMMANDS = {
    USER_ID: f"pulumi config set {USER_ID} you@yourco.com",
    API_KEY: f"pulumi config set --secret {API_KEY}",
    BASE_URL: f"pulumi config set {BASE_URL} {DEFAULT_BASE_URL}",
    TIMEOUT: f"pulumi config set {TIMEOUT} {DEFAULT_TIMEOUT:g}",
    LEDGER: f"pulumi config set {LEDGER} /path/to/ledger.db",
}

Config = Callable[[str], object]
"""Gives the value of a full key such as ``"openfunnel:userId"``; None when unset."""


@dataclass(frozen=True)
class Settings:
    """Who asks, where, with which key.

    Attributes:
        user_id: the orchestrator's own email, as the X-User-ID header carries it.
        domain: its domain in ASCII, where users are created.
        base_url: scheme, host and port of the API, without a slash at the end.
        api_key: the provisioner key; None when none is set. Not shown by ``repr``.
        timeout: seconds of trying for one user.
        orchestrator: the name of these credentials in the config; None for the stack's default ones.
        ledger: where the ledger lies; None when it is off.
        ledger_key: the 32 bytes that the ledger is sealed under instead of the provisioner key. Not shown by ``repr``.
    """

    user_id: str
    domain: str
    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float = DEFAULT_TIMEOUT
    orchestrator: str | None = None
    ledger: Place | None = None
    ledger_key: bytes | None = field(default=None, repr=False)

    def way_out(self, setting: str) -> str:
        """The sentence that says how ``USER_ID`` or ``API_KEY`` of these credentials is set."""
        return _Setting(setting, self.orchestrator).way_out

    def require_api_key(self) -> str:
        """The provisioner key.

        Raises:
            InvalidSetting: when none is set.
        """
        if self.api_key is None:
            raise _Setting(API_KEY, self.orchestrator).unset()
        return self.api_key


def read(config: Config, environ: Mapping[str, str], orchestrator: object = None) -> Settings:
    """Read all settings: the stack's config first, then the environment; an empty value counts as unset.

    Args:
        config: the stack's config.
        environ: the environment's variables; an orchestrator that has a name does not look at its credentials there.
        orchestrator: the name of one of ``openfunnel:orchestrators``; None for the stack's default credentials.

    Raises:
        InvalidSetting: with one line that says which command sets it. No message repeats a value, because a
            key may stand in the wrong place.
    """
    _check_spelling(config)
    name = _known(config, orchestrator)
    credentials = _credentials(config, environ, name)
    user_id, domain = _user_id(_Setting(USER_ID, name), credentials[USER_ID])
    return Settings(
        user_id=user_id,
        domain=domain,
        base_url=_base_url(_value(config, environ, BASE_URL)),
        api_key=_api_key(_Setting(API_KEY, name), credentials[API_KEY]),
        timeout=_timeout(_value(config, environ, TIMEOUT)),
        orchestrator=name,
        ledger=ledger_place(config, environ),
        ledger_key=ledger_key(environ),
    )


def _check_spelling(config: Config) -> None:
    """Refuse a setting that differs from one of ours in case, a hyphen or an underscore: it would be passed over."""
    for setting in (*_COMMANDS, ORCHESTRATORS):
        words = re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", setting)
        for other in (setting.lower(), words, words.replace("_", "-")):
            if other != setting and config(other) is not None:
                raise InvalidSetting(
                    other, f"{other} is not a setting: did you mean {setting}? Run: pulumi config rm {other}."
                )


def orchestrator_names(config: Config) -> list[str]:
    """The names of the orchestrators in the config.

    Raises:
        InvalidSetting: when the setting holds something else.
    """
    return sorted(_orchestrators(config))


def ledger_place(config: Config, environ: Mapping[str, str]) -> Place | None:
    """Where the ledger lies; None when it is off.

    Raises:
        InvalidSetting: when the setting names no place.
    """
    return ledger_urls.parse(_value(config, environ, LEDGER))


def ledger_key(environ: Mapping[str, str]) -> bytes | None:
    """The ledger's own key, of 32 bytes; None when none is set.

    Raises:
        InvalidSetting: when it is something else.
    """
    value = _text(environ.get(LEDGER_KEY))
    if value is None:
        return None
    key = decoded_ledger_key(value)
    if key is None:
        raise InvalidSetting(
            LEDGER_KEY, f"{LEDGER_KEY} is not 32 bytes in base64. Make one with: openssl rand -base64 32."
        )
    return key


def decoded_ledger_key(text: str) -> bytes | None:
    """The 32 bytes that a text spells in base64; None when it spells no such thing."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return key if len(key) == 32 else None


def destination(config: Config, environ: Mapping[str, str], orchestrator: object = None) -> tuple[str, str]:
    """Where users are created, by string operations alone and without a check, for a program that compares.

    Returns:
        The base URL, and the domain of the orchestrator; what is missing or wrong gives an empty domain.
    """
    try:
        user_id = _credentials(config, environ, _known(config, orchestrator))[USER_ID] or ""
    except InvalidSetting:
        user_id = ""
    url = _value(config, environ, BASE_URL) or DEFAULT_BASE_URL
    # What has no @ is no address, and may be a key in the wrong place: nothing of it is passed on.
    domain = user_id.rpartition("@")[2] if "@" in user_id else ""
    return base_url.spelled(url), emails.ascii_domain(domain)


def is_key(text: str) -> bool:
    """Whether a text can be a key: visible ASCII, nothing else. A header could not carry it otherwise."""
    return bool(text) and all("!" <= c <= "~" for c in text)


@dataclass(frozen=True)
class _Setting:
    """Where a setting of some credentials stands, and how it is set there."""

    setting: str
    orchestrator: str | None = None

    @property
    def name(self) -> str:
        field = self.setting.partition(":")[2]
        return self.setting if self.orchestrator is None else f"{ORCHESTRATORS}.{self.orchestrator}.{field}"

    @property
    def way_out(self) -> str:
        if self.orchestrator is not None:
            options, value = ("--path --secret", "") if self.setting == API_KEY else ("--path", " you@yourco.com")
            return f"Run: pulumi config set {options} '{self.name}'{value}."
        variable = _VARIABLES.get(self.setting)
        return f"Run: {_COMMANDS[self.setting]}" + (f" (or set {variable})." if variable else ".")

    def unset(self) -> InvalidSetting:
        return InvalidSetting(self.name, f"{self.name} is not set. {self.way_out}")

    def wrong(self, problem: str) -> InvalidSetting:
        return InvalidSetting(self.name, f"{self.name} {problem}. {self.way_out}")


def _value(config: Config, environ: Mapping[str, str], setting: str) -> str | None:
    variable = _VARIABLES.get(setting)
    return _text(config(setting)) or (_text(environ.get(variable)) if variable else None)


def _text(value: object) -> str | None:
    return None if value is None else str(value).strip() or None


def _orchestrators(config: Config) -> dict[str, dict[str, object]]:
    """The named orchestrators; the config holds objects as JSON."""
    value = config(ORCHESTRATORS) or {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise InvalidSetting(
            ORCHESTRATORS,
            f"{ORCHESTRATORS} is not an object of names to userId and apiKey. {_Setting(USER_ID, 'acme').way_out}",
        )
    return value


def _known(config: Config, orchestrator: object) -> str | None:
    """The orchestrator's name, when there is one of it."""
    if orchestrator is None:
        return None
    known = _orchestrators(config)
    if isinstance(orchestrator, str) and orchestrator in known:
        return orchestrator
    names = ", ".join(sorted(known)) or "none"
    raise InvalidSetting(
        ORCHESTRATORS,
        f"orchestrator {emails.quoted(orchestrator)} is not in {ORCHESTRATORS} (known: {names}). "
        f"{_Setting(USER_ID, emails.quoted(orchestrator).strip(chr(34))).way_out}",
    )


def _credentials(config: Config, environ: Mapping[str, str], name: str | None) -> dict[str, str | None]:
    if name is None:
        return {setting: _value(config, environ, setting) for setting in (USER_ID, API_KEY)}
    entry = _orchestrators(config)[name]
    return {setting: _text(entry.get(setting.partition(":")[2])) for setting in (USER_ID, API_KEY)}


def _user_id(place: _Setting, value: str | None) -> tuple[str, str]:
    if value is None:
        raise place.unset()
    try:
        address = emails.parse(value)
    except InvalidInput:
        address = None  # its message repeats the value, so it is not to be this error's context
    if address is None:
        raise place.wrong("is not an email address")
    user_id = value if value.isascii() else f"{address.local}@{address.ascii_domain}"
    return user_id, address.ascii_domain


def _api_key(place: _Setting, value: str | None) -> str | None:
    if value is not None and not is_key(value):
        raise place.wrong("holds a space, a line break or another character no key has")
    return value


def _base_url(value: str | None) -> str:
    problem = base_url.problem(value or DEFAULT_BASE_URL)
    if problem:
        raise _Setting(BASE_URL).wrong(problem)
    return base_url.spelled(value or DEFAULT_BASE_URL)


def _timeout(value: str | None) -> float:
    if value is None:
        return DEFAULT_TIMEOUT
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise _Setting(TIMEOUT).wrong("is not a number of seconds between 0 and 86400")
    return seconds
