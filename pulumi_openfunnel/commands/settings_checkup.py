"""The look that ``doctor`` takes at the settings: where each came from, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .. import base_url, emails, ledger_urls, settings
from ..errors import InvalidInput, InvalidSetting
from ..places import PostgresPlace
from .findings import Finding, mend, ok, unknown
from .surroundings import Surroundings

_VARIABLES = {
    settings.USER_ID: "OPENFUNNEL_USER_ID",
    settings.API_KEY: "OPENFUNNEL_API_KEY",
    settings.BASE_URL: "OPENFUNNEL_BASE_URL",
    settings.TIMEOUT: "",
    settings.LEDGER: "OPENFUNNEL_LEDGER",
}
_STAND_INS = {
    settings.USER_ID: "you@yourco.com",
    settings.API_KEY: "of_stand_in",
    settings.BASE_URL: settings.DEFAULT_BASE_URL,
    settings.TIMEOUT: f"{settings.DEFAULT_TIMEOUT:g}",
    settings.LEDGER: settings.OFF,
}
"""What is read in place of a setting that is wrong, to find the next one that is."""

_SPARED = {settings.USER_ID, settings.TIMEOUT, settings.LEDGER, settings.LEDGER_KEY}
"""Without these the API can be asked about a key all the same."""


@dataclass(frozen=True)
class Reading:
    """What the settings give.

    Attributes:
        environ: the environment without what a setting of the config that cannot be opened stands before.
        found: the default credentials; None when the API cannot be asked with them.
        problems: everything that is wrong with them.
        others: the credentials of named orchestrators.
        others_problems: what is wrong with those.
        unread: settings of which it is not known whether and how they are set.
    """

    environ: Mapping[str, str]
    found: settings.Settings | None
    problems: tuple[InvalidSetting, ...]
    others: tuple[settings.Settings, ...]
    others_problems: tuple[InvalidSetting, ...]
    unread: frozenset[str]

    @property
    def wrong(self) -> set[str]:
        """The names of the settings that are wrong."""
        return {problem.setting for problem in self.problems}


def read_all(surroundings: Surroundings) -> Reading:
    """Read the settings, and do not stop at the first that is wrong."""
    sealed = {_VARIABLES.get(setting) for setting in surroundings.sealed}
    environ = {name: value for name, value in surroundings.environ.items() if name not in sealed}
    unread = surroundings.sealed
    if surroundings.config_problem is not None:
        unread |= {setting for setting, variable in _VARIABLES.items() if not environ.get(variable, "").strip()}
    found, problems = _default(surroundings, environ, unread)
    others, others_problems = _others(surroundings, environ, {problem.setting for problem in problems})
    if (others or others_problems) and not _names_default(surroundings, environ):
        # Whoever names an orchestrator for each user needs no other one.
        found, problems = None, [problem for problem in problems if problem.setting != settings.USER_ID]
    return Reading(environ, found, tuple(problems), tuple(others), tuple(others_problems), unread)


def _names_default(surroundings: Surroundings, environ: Mapping[str, str]) -> bool:
    return any(
        setting in surroundings.sealed or surroundings.config.get(setting) or environ.get(_VARIABLES[setting])
        for setting in (settings.USER_ID, settings.API_KEY)
    )


def look_at_settings(surroundings: Surroundings, reading: Reading) -> Iterator[Finding]:
    """A line for each setting, and one for whatever else is wrong."""
    wrong = {problem.setting: problem for problem in reading.problems}
    for setting, variable in _VARIABLES.items():
        problem = wrong.pop(setting, None)
        if problem is not None:
            yield mend(setting, str(problem))
        elif setting in surroundings.sealed:
            yield unknown(setting, "is a secret of the stack's config that could not be opened.")
        elif surroundings.config.get(setting, "").strip():
            yield ok(setting, f"from the stack's config, {_shown(setting, surroundings.config[setting])}")
        elif surroundings.environ.get(variable, "").strip():
            yield ok(setting, f"from {variable}, {_shown(setting, surroundings.environ[variable])}")
        elif setting == settings.USER_ID and setting in reading.unread:
            yield unknown(setting, f"is not in {variable}, and no config was read.")
        else:
            yield ok(setting, "not in the environment" if setting in reading.unread else "not set")
    if settings.ORCHESTRATORS in surroundings.sealed:
        yield unknown(settings.ORCHESTRATORS, "is a secret of the stack's config that could not be opened.")
    for problem in (*wrong.values(), *reading.others_problems):
        yield mend(problem.setting, str(problem))
    yield from _in_the_clear(surroundings)


def _default(
    surroundings: Surroundings, environ: Mapping[str, str], unread: frozenset[str]
) -> tuple[settings.Settings | None, list[InvalidSetting]]:
    """The default credentials with stand-ins for what is wrong, and what that is."""
    stand_ins: dict[str, str | None] = {}
    problems: list[InvalidSetting] = []
    while True:
        usable = {**environ, settings.LEDGER_KEY: ""} if settings.LEDGER_KEY in stand_ins else environ
        try:
            found = settings.read(lambda key: stand_ins.get(key, surroundings.setting(key)), usable)
        except InvalidSetting as error:
            if error.setting in stand_ins:
                return None, [*problems, error]
            stand_ins[error.setting] = _STAND_INS.get(error.setting)
            if not (error.setting == settings.USER_ID and error.setting in unread):
                problems.append(error)
        else:
            askable = {problem.setting for problem in problems} <= _SPARED
            return found if askable else None, problems


def _others(
    surroundings: Surroundings, environ: Mapping[str, str], known: set[str]
) -> tuple[list[settings.Settings], list[InvalidSetting]]:
    """The named orchestrators; what is wrong with the settings that they share is known already."""
    found: list[settings.Settings] = []
    problems: list[InvalidSetting] = []
    try:
        names = settings.orchestrator_names(surroundings.setting)
    except InvalidSetting as error:
        return [], [error]
    for name in names:
        try:
            found.append(settings.read(surroundings.setting, environ, name))
        except InvalidSetting as error:
            if error.setting not in known:
                problems.append(error)
    return found, problems


def _in_the_clear(surroundings: Surroundings) -> Iterator[Finding]:
    """What the config, a file that is committed, should hold as secrets."""
    replace = "and have OpenFunnel replace the key"
    for setting in (settings.API_KEY, settings.ORCHESTRATORS):
        value = surroundings.config.get(setting, "")
        if value and "apiKey" in f"{setting} {value}" and setting not in surroundings.secrets:
            yield mend(setting, f"holds a key in the clear. Set it again with --secret, {replace}.")
    if settings.LEDGER not in surroundings.secrets and _has_password(surroundings.config.get(settings.LEDGER)):
        yield mend(
            settings.LEDGER, "holds a password in the clear. Set it again with --secret, and change the password."
        )


def _has_password(value: str | None) -> bool:
    try:
        place = ledger_urls.parse(value)
    except InvalidSetting:
        return False
    return isinstance(place, PostgresPlace) and urlsplit(place.url).password is not None


def _shown(setting: str, value: str) -> str:
    """What may be shown of a value that can be used: never a key or a password."""
    value = value.strip()
    if setting == settings.API_KEY:
        return "not shown"
    if setting == settings.LEDGER:
        return str(ledger_urls.parse(value) or "off")
    if setting == settings.USER_ID:
        try:
            emails.parse(value)
        except InvalidInput:
            return "not usable"
    return base_url.spelled(value) if setting == settings.BASE_URL else value
