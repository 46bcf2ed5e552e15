"""The looks that ``doctor`` takes, one subject each."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from .. import ledger_urls, settings
from ..api.proxies import proxy_for
from ..errors import InvalidSetting, OpenFunnelError
from ..ledger.sealing import Seal
from ..places import FilePlace
from ..provisioning.connections import Caller, Connections
from .findings import Finding, mend, ok, unknown
from .ledger_checkup import look_at_ledger
from .settings_checkup import Reading, look_at_settings, read_all
from .surroundings import Surroundings

OLDEST_PYTHON = (3, 10)
OLDEST_PULUMI = (3, 231)
"""Of the SDK; a CLI that is older than every SDK that is supported is not supported either."""

_BETWEEN = f"Check {settings.BASE_URL}, HTTPS_PROXY and NO_PROXY, and what stands between here and OpenFunnel."


def all_of(surroundings: Surroundings) -> Iterator[Finding]:
    """Every look; what one of them cannot do stops no other."""
    reading = read_all(surroundings)
    yield from _python()
    yield from _pulumi(surroundings)
    yield from _stack(surroundings)
    yield from look_at_settings(surroundings, reading)
    yield from _network(surroundings, reading)
    yield from _provisioner_keys(reading)
    yield from _ledger(surroundings, reading)
    yield from _backend(surroundings)


def _python() -> Iterator[Finding]:
    yield _at_least("Python", platform.python_version(), OLDEST_PYTHON, "Use a newer Python.")
    yield _at_least("Pulumi SDK", _version_of("pulumi"), OLDEST_PULUMI, "Run: pip install --upgrade pulumi.")
    yield ok("pulumi-openfunnel", _version_of("pulumi-openfunnel"))


def _pulumi(surroundings: Surroundings) -> Iterator[Finding]:
    install = "Install it: https://www.pulumi.com/docs/install"
    if surroundings.cli is None:
        yield mend("Pulumi CLI", f"is not on PATH. {install}.")
    elif not re.fullmatch(r"v?\d+\.\d+\S*", surroundings.cli):
        yield unknown("Pulumi CLI", "does not tell its version. Run: pulumi version.")
    else:
        yield _at_least("Pulumi CLI", surroundings.cli.removeprefix("v"), OLDEST_PULUMI, f"{install}.")


def _stack(surroundings: Surroundings) -> Iterator[Finding]:
    problem = surroundings.config_problem
    if problem is None and surroundings.sealed:
        yield mend("stack", f"the secrets of its config cannot be opened: {surroundings.secrets_problem}.")
    elif problem is None:
        yield ok("stack", f"{surroundings.stack or 'the selected one'}: its config was read")
    elif surroundings.stack is not None and surroundings.cli is not None:
        yield mend("stack", f"the config of {surroundings.stack} cannot be read: {problem}. Run: pulumi stack ls.")
    else:
        yield unknown(
            "stack", f"no config was read: {problem}. Run this in the project's directory, with --stack NAME."
        )


def _network(surroundings: Surroundings, reading: Reading) -> Iterator[Finding]:
    asked = reading.found or next(iter(reading.others), None)
    proxy = proxy_for(asked.base_url) if asked is not None else None
    if proxy is not None:
        yield ok("proxy", f"requests to OpenFunnel go through the one that {proxy.variable} names")
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = surroundings.environ.get(variable)
        if path and not os.path.exists(path):  # noqa: PTH110 - a file or a directory
            yield mend(variable, "names a path that is not there. Correct it, or unset it.")


def _provisioner_keys(reading: Reading) -> Iterator[Finding]:
    connections = Connections()
    try:
        if reading.found is not None:
            yield _provisioner_key(Caller(reading.found, connections), reading)
        elif reading.problems:
            yield unknown("OpenFunnel", "was not asked. Mend the settings above first.")
        for found in reading.others:
            yield _provisioner_key(Caller(found, connections), reading)
    finally:
        connections.close()


def _provisioner_key(caller: Caller, reading: Reading) -> Finding:
    read = caller.settings
    key = "provisioner key" if read.orchestrator is None else f"provisioner key of {read.orchestrator}"
    if read.api_key is None and read.orchestrator is None and settings.API_KEY in reading.unread:
        return unknown(key, "was not tried, because it could not be read.")
    if read.api_key is None:
        return mend(key, f"is not set, so nobody can be created. {read.way_out(settings.API_KEY)}")
    try:
        return _tried(caller, key, read.api_key)
    except InvalidSetting as error:
        return mend("OpenFunnel", str(error))


def _tried(caller: Caller, key: str, api_key: str) -> Finding:
    read, balance = caller.settings, caller.client.balance(api_key)
    if balance.accepted and balance.credits_left is not None and balance.credits_left <= 0:
        return mend(
            key,
            f"is accepted at {read.base_url}, with {balance.credits_left:.10g} credits left. Ask OpenFunnel for more.",
        )
    if balance.accepted:
        left = f", with {balance.credits_left:.10g} credits left" if balance.credits_left is not None else ""
        return ok(key, f"is accepted at {read.base_url}{left}; whether it may create users, only creating one tells")
    if balance.refused:
        return mend(key, f"is refused (401) at {read.base_url}. {read.way_out(settings.API_KEY)}")
    if balance.status == 403:
        return mend(
            key, f"is not allowed (403) at {read.base_url}. Ask OpenFunnel to enable is_provisioner on its account."
        )
    said = f"was asked at {read.base_url}, but {balance.problem}."
    if balance.status is None or balance.status < 500:
        return mend("OpenFunnel", f"{said} {_BETWEEN}")
    return unknown("OpenFunnel", f"{said} Run this again later.")


def _ledger(surroundings: Surroundings, reading: Reading) -> Iterator[Finding]:
    if settings.LEDGER in reading.wrong:
        yield unknown("ledger", "was not looked at. Mend its setting first.")
        return
    if settings.LEDGER in reading.unread:
        yield unknown("ledger", "was not looked at, because it is not known where it is.")
        return
    place = settings.ledger_place(surroundings.setting, reading.environ)
    if place is None:
        text = "is off: a key whose answer is lost on its way into the state is lost for good"
        yield mend("ledger", f"{text}. Run: pulumi config rm {settings.LEDGER} (or unset OPENFUNNEL_LEDGER).")
        return
    if surroundings.environ.get("CI") and isinstance(place, FilePlace) and place.default:
        text = f"is at its default place, {place}, which is deleted with a CI runner"
        yield mend("ledger", f"{text}. {_beside(surroundings)}")
    if not surroundings.environ.get(settings.LEDGER_KEY):
        text = "is not set: the ledger is sealed under the provisioner key, and needs ledger rekey after each rotation"
        yield ok(settings.LEDGER_KEY, f"{text}. Make one with: openssl rand -base64 32")
    try:
        yield from look_at_ledger(place, _seals(reading))
    except OpenFunnelError as error:
        yield mend("ledger", str(error))


def _seals(reading: Reading) -> list[Seal]:
    """What a ledger's entries can be sealed under; nothing when a part of it is not known."""
    if settings.API_KEY in reading.unread or settings.LEDGER_KEY in reading.wrong:
        return []
    if reading.others_problems or (reading.found is None and reading.problems):
        return []
    known = [*([reading.found] if reading.found is not None else []), *reading.others]
    return [seal for found in known for seal in Caller(found, Connections()).seals]


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


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _at_least(subject: str, shown: str, oldest: tuple[int, ...], advice: str) -> Finding:
    found = tuple(int(part) for part in shown.split(".")[:2] if part.isdigit())
    if found >= oldest:
        return ok(subject, shown)
    return mend(subject, f"{shown} is too old: {'.'.join(map(str, oldest))} or newer is needed. {advice}")
