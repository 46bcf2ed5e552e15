"""Trouble of our own before a request leaves nothing that a later "exists" is blamed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnotherEndUser, InvalidSetting, LedgerUnusable, RequestRefused, UserExists
from pulumi_openfunnel.ledger.memory import Call, MemoryOwners
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.upkeep import forget
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser

from ..servers import INTERNAL_EMAIL, USER_KEY, ScriptedServer, answer
from .provisions import (
    ALICE,
    Callers,
    another_process,
    created,
    creates,
    failure,
    ledger_of,
    over,
    provisioned,
    rows,
    scripted,
    told,
    with_settings,
)
from .rules import Machine

ALSO_ALICE = EndUser("alice@another-startup.com", INTERNAL_EMAIL)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


@pytest.fixture
def machine() -> Machine:
    return Machine()


class Owners(MemoryOwners):
    """Runs that can lapse, or whose store fails, when it is asked whether a request may go out.

    Attributes:
        trouble: what comes before the answer.
    """

    trouble: Callable[[], object] = staticmethod(lambda: None)

    def confirm(self, run: str) -> bool:
        self.trouble()
        return super().confirm(run)


def _process(machine: Machine) -> tuple[Ledger, Owners]:
    owners = Owners(machine.living)
    return Ledger(machine.store, owners, clock=lambda: machine.time), owners


def _exists(caller: Caller, server: ScriptedServer, user: EndUser = ALICE) -> str:
    """What a user that OpenFunnel says exists is told."""
    scripted(server, answer(409))
    message = failure(caller, UserExists, user)
    assert "probably" not in message
    assert "Nothing was created" in message
    return message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/missing/certificates.pem"),
        ("HTTP_PROXY", "ftp://proxy.corp:3128"),
        ("HTTP_PROXY", "http://"),
        ("ALL_PROXY", "socks5://proxy.corp:1080"),
    ],
)
def test_a_client_that_cannot_be_made(
    server: ScriptedServer, callers: Callers, path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Nothing is written down, not even a ledger made; once the environment is mended, the user is asked for."""
    caller = callers("http://openfunnel.test", path)
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting, match="proxies or certificates cannot be used"):
        provision(caller, ALICE)
    assert not path.exists()
    monkeypatch.delenv(variable)
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    _exists(caller, server)


@pytest.mark.parametrize("no_proxy", ["[::1", "2001:db8::/129,,*.corp", "fd00::/8,[fe80::]/10", "\u00b2:\u00b2"])
def test_an_entry_of_no_proxy_that_cannot_be_read(
    server: ScriptedServer, callers: Callers, path: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    """It stands in nobody's way."""
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    caller = callers("http://openfunnel.test", path)
    _exists(caller, server)
    scripted(server, created())
    assert provisioned(caller).api_key == USER_KEY


def test_a_user_that_the_ledger_refuses(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """The one who holds it stays as it was, and nothing is written of the other one."""
    scripted(server, created())
    caller = callers(server.base_url, path)
    provisioned(caller)
    before = rows(caller)
    another_process(caller)
    failure(caller, AnotherEndUser, ALSO_ALICE)
    assert rows(caller) == before
    forget(ledger_of(caller), before, lose_keys=True)
    another_process(caller)
    _exists(caller, server, ALSO_ALICE)


def test_no_provisioner_key(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """Nothing is written down before it is known what to ask with."""
    caller = callers(server.base_url, path)
    with pytest.raises(InvalidSetting, match="apiKey is not set"):
        provision(with_settings(caller, api_key=None), ALICE)
    assert not path.exists()
    _exists(caller, server)


def test_a_store_that_fails_between_the_attempt_and_its_request(
    server: ScriptedServer, callers: Callers, machine: Machine
) -> None:
    """The attempt is closed again, and the error says that no request was sent."""
    ledger, owners = _process(machine)
    caller = over(callers(server.base_url), ledger)

    def down() -> None:
        raise LedgerUnusable("memory", "is down", "Wait.", transient=True)

    owners.trouble = down
    with pytest.raises(LedgerUnusable, match=r"is down\. Wait\. No request was sent\.$"):
        provision(caller, ALICE)
    assert server.requests == []
    assert [status for status, _ in told(caller)] == ["refused"]
    owners.trouble = lambda: None
    _exists(caller, server)


def test_a_run_that_lapses_between_the_attempt_and_its_request(
    server: ScriptedServer, callers: Callers, machine: Machine
) -> None:
    """It begins again under a new run, with one request, and the attempt of the one that lapsed is no lost one."""
    ledger, owners = _process(machine)
    caller = over(callers(server.base_url), ledger)

    def lapses() -> None:
        machine.living.clear()
        owners.trouble = lambda: None

    owners.trouble = lapses
    _exists(caller, server)
    assert creates(server) == 1
    assert len(rows(caller)) == 1


@pytest.mark.parametrize("method", ["put_new", "put_over"])
@pytest.mark.parametrize("done", [False, True], ids=["not done", "its reply lost"])
def test_a_write_of_the_attempt_that_fails(
    server: ScriptedServer, callers: Callers, machine: Machine, method: str, done: bool
) -> None:
    """Where it was done all the same, nobody can know that no request went out; where not, there is nothing."""
    caller = over(callers(server.base_url), machine.process())
    if method == "put_over":
        scripted(server, answer(422))
        failure(caller, RequestRefused)  # which leaves a document
    before, failed = len(server.requests), list[str]()

    def fails(call: Call) -> None:
        if call.method == method and call.names[0].startswith("users/") and call.done == done and not failed:
            failed.append(call.method)
            raise LedgerUnusable("memory", "is down", "Wait.", transient=True)

    machine.fails = fails
    with pytest.raises(LedgerUnusable, match=r"No request was sent\.$"):
        provision(caller, ALICE)
    assert failed == [method]
    assert len(server.requests) == before
    scripted(server, answer(409))
    assert ("probably" in failure(caller, UserExists)) == done
