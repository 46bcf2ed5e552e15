"""The looks that ``doctor`` takes, one subject each."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from .. import base_url, ledger_urls, settings
from ..api.proxies import proxy_for
from ..errors import InvalidSetting, OpenFunnelError
from ..places import FilePlace
from ..provisioning.connections import Caller, Connections
from .findings import Finding, mend, ok, unknown
from .ledger_checkup import look_at_ledger
from .surroundings import Surroundings

OLDEST_PYTHON = (3, 10)
OLDEST_SDK = (3, 231)

_VARIABLES = (
    (settings.USER_ID, "OPENFUNNEL_USER_ID"),
    (settings.API_KEY, "OPENFUNNEL_API_KEY"),
    (settings.BASE_URL, "OPENFUNNEL_BASE_URL"),
    (settings.TIMEOUT, None),
    (settings.LEDGER, "OPENFUNNEL_LEDGER"),
)


def all_of(surroundings: Surroundings) -> Iterator[Finding]:
    """Every look; what one of them cannot do stops no other."""
    looks: list[Callable[[Surroundings], Iterator[Finding]]] = [
        _python,
        _pulumi,
        _stack,
        _settings,
        _network,
        _api_and_ledger,
        _backend,
    ]
    for look in looks:
        yield from look(surroundings)


def _python(_: Surroundings) -> Iterator[Finding]:
    yield _at_least("Python", platform.python_version(), sys.version_info[:2], OLDEST_PYTHON, "Use a newer Python.")
    sdk = _version_of("pulumi")
    parts = tuple(int(part) for part in sdk.split(".")[:2] if part.isdigit())
    yield _at_least("Pulumi SDK", sdk, parts, OLDEST_SDK, "Run: pip install --upgrade pulumi.")
    yield ok("pulumi-openfunnel", _version_of("pulumi-openfunnel"))


def _pulumi(surroundings: Surroundings) -> Iterator[Finding]:
    if surroundings.cli is None:
        yield mend("Pulumi CLI", "is not on PATH. Install it: https://www.pulumi.com/docs/install.")
    else:
        yield ok("Pulumi CLI", surroundings.cli)


def _stack(surroundings: Surroundings) -> Iterator[Finding]:
    if surroundings.config_problem is None:
        yield ok("stack", f"{surroundings.stack or 'the selected one'}: its config was read")
    elif surroundings.stack is not None:
        yield mend("stack", f"the config of {surroundings.stack} cannot be read: {surroundings.config_problem}.")
    else:
        problem = surroundings.config_problem
        yield unknown("stack", f"no config was read ({problem}). Give --stack NAME in a project's directory.")


def _settings(surroundings: Surroundings) -> Iterator[Finding]:
    for setting, variable in _VARIABLES:
        if surroundings.config.get(setting, "").strip():
            yield ok(setting, f"from the stack's config, {_shown(setting, surroundings.config[setting])}")
        elif variable and surroundings.environ.get(variable, "").strip():
            yield ok(setting, f"from {variable}, {_shown(setting, surroundings.environ[variable])}")
        else:
            yield ok(setting, "not set")
    for setting in (settings.API_KEY, settings.ORCHESTRATORS):
        value = surroundings.config.get(setting, "")
        if "apiKey" in f"{setting} {value}" and value and setting not in surroundings.secrets:
            yield mend(
                setting, "holds a key in the clear. Set it again with --secret, and have OpenFunnel replace the key."
            )
    try:
        settings.read(surroundings.setting, surroundings.environ)
    except InvalidSetting as error:
        yield mend(error.setting, str(error))


def _network(surroundings: Surroundings) -> Iterator[Finding]:
    url = surroundings.config.get(settings.BASE_URL) or surroundings.environ.get("OPENFUNNEL_BASE_URL")
    try:
        proxy = proxy_for(url or settings.DEFAULT_BASE_URL)
    except ValueError:
        return  # the setting's own line says what is wrong with it
    if proxy is not None:
        yield ok("proxy", f"requests to OpenFunnel go through the one that {proxy.variable} names")
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = surroundings.environ.get(variable)
        if path and not os.path.exists(path):  # noqa: PTH110 - a file or a directory
            yield mend(variable, "names a path that is not there.")


def _api_and_ledger(surroundings: Surroundings) -> Iterator[Finding]:
    connections = Connections()
    try:
        caller: Caller | None = Caller(settings.read(surroundings.setting, surroundings.environ), connections)
    except InvalidSetting:
        caller = None
        yield unknown("OpenFunnel", "was not asked: see the settings above.")
    if caller is not None:
        yield from _provisioner_key(caller)
    yield from _orchestrators(surroundings, connections)
    yield from _ledger(surroundings, caller)
    connections.close()


def _orchestrators(surroundings: Surroundings, connections: Connections) -> Iterator[Finding]:
    try:
        names = settings.orchestrator_names(surroundings.setting)
    except InvalidSetting as error:
        yield mend(settings.ORCHESTRATORS, str(error))
        return
    for name in names:
        try:
            read = settings.read(surroundings.setting, surroundings.environ, name)
        except InvalidSetting as error:
            yield mend(error.setting, str(error))
        else:
            yield from _provisioner_key(Caller(read, connections))


def _provisioner_key(caller: Caller) -> Iterator[Finding]:
    read = caller.settings
    key = "provisioner key" if read.orchestrator is None else f"provisioner key of {read.orchestrator}"
    if read.api_key is None:
        yield mend(key, f"is not set, so nobody can be created. {read.way_out(settings.API_KEY)}")
        return
    try:
        balance = caller.client.balance(read.api_key)
    except InvalidSetting as error:
        yield mend("OpenFunnel", str(error))
        return
    if balance.accepted:
        left = f", with {balance.credits_left:.10g} credits left" if balance.credits_left is not None else ""
        yield ok(key, f"is accepted at {read.base_url}{left}")
    elif balance.refused:
        yield mend(key, f"is refused (401) at {read.base_url}. {read.way_out(settings.API_KEY)}")
    elif balance.status == 403:
        yield mend(key, "is not allowed (403). Ask OpenFunnel to enable is_provisioner on its account.")
    elif balance.status is None:
        yield mend("OpenFunnel", f"was asked at {read.base_url}, but {balance.problem}.")
    else:
        yield unknown("OpenFunnel", f"was asked at {read.base_url}, but {balance.problem}.")


def _ledger(surroundings: Surroundings, caller: Caller | None) -> Iterator[Finding]:
    try:
        place = settings.ledger_place(surroundings.setting, surroundings.environ)
        seals = caller.seals if caller is not None else []
    except InvalidSetting as error:
        yield mend("ledger", str(error))
        return
    if place is None:
        yield mend("ledger", "is off: a key whose answer is lost on its way into the state is lost for good.")
        return
    if surroundings.environ.get("CI") and isinstance(place, FilePlace) and place.default:
        yield mend(
            "ledger", f"is at its default place, {place}, which is deleted with a CI runner. {_beside(surroundings)}"
        )
    if not surroundings.environ.get(settings.LEDGER_KEY):
        text = "is not set: the ledger is sealed under the provisioner key, and needs ledger rekey after each rotation"
        yield ok(settings.LEDGER_KEY, f"{text}. Make one with: openssl rand -base64 32")
    try:
        yield from look_at_ledger(place, seals)
    except OpenFunnelError as error:
        yield mend("ledger", str(error))


def _backend(surroundings: Surroundings) -> Iterator[Finding]:
    if surroundings.backend is None:
        yield unknown("state", "where Pulumi keeps it is not known. Run: pulumi login.")
        return
    yield ok("state", f"at {_place_of(surroundings.backend)}")


def _beside(surroundings: Surroundings) -> str:
    url = ledger_urls.beside_state(surroundings.backend)
    if url is None:
        return "Set OPENFUNNEL_LEDGER to a bucket, to PostgreSQL, or to a file that lasts."
    return f"Set OPENFUNNEL_LEDGER to {url}."


def _place_of(backend: str) -> str:
    """A backend's URL without user, password and query."""
    try:
        url = urlsplit(backend)
        host = url.hostname or ""
    except ValueError:
        return "a URL that cannot be read"
    return f"{url.scheme}://{host}{url.path}"


def _shown(setting: str, value: str) -> str:
    """What may be shown of a value: never a key or a password."""
    if setting == settings.API_KEY:
        return "not shown"
    if setting == settings.LEDGER:
        try:
            return str(ledger_urls.parse(value.strip()) or "off")
        except InvalidSetting:
            return "not usable"
    if setting == settings.BASE_URL:
        return "not usable" if base_url.problem(value.strip()) else value.strip()
    shows = "@" in value if setting == settings.USER_ID else value.strip().replace(".", "", 1).isdigit()
    return value.strip() if shows else "not usable"


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _at_least(subject: str, shown: str, found: tuple[int, ...], oldest: tuple[int, ...], advice: str) -> Finding:
    if found >= oldest:
        return ok(subject, shown)
    return mend(subject, f"{shown} is too old: {'.'.join(map(str, oldest))} or newer is needed. {advice}")
