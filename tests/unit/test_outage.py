"""An API that answers nobody: after a while it is not asked about the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pulumi_openfunnel.api import retries
from pulumi_openfunnel.api.client import IN_FLIGHT
from pulumi_openfunnel.api.retries import Outage
from pulumi_openfunnel.provisioning import connections as shared
from pulumi_openfunnel.provisioning.verify import ACTIVE, verify
from pulumi_openfunnel.settings import Settings

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, ScriptedServer, answer

BALANCE = answer(200, {"credits_left": 1})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No while: as many failures as there are requests at once will do."""
    monkeypatch.setattr(retries, "OUTAGE", 0.0)


@pytest.fixture
def settings(server: ScriptedServer) -> Iterator[Settings]:
    """Of the server, with what is shared of it forgotten afterwards."""
    settings = Settings(ORCHESTRATOR, "orchestrator.com", server.base_url, PROVISIONER_KEY)
    yield settings
    shared._clients.pop((settings.base_url, settings.timeout)).close()
    shared._outages.pop(settings.base_url)


def _failing(times: int) -> Outage:
    outage = Outage()
    for _ in range(times):
        outage.failed()
    return outage


def test_failures_within_a_while_are_none() -> None:
    """Of many threads, each may fail some times while an API restarts."""
    assert not _failing(10 * IN_FLIGHT).lasts


@pytest.mark.usefixtures("at_once")
def test_it_takes_as_many_failures_as_there_are_requests_at_once() -> None:
    """Fewer may all be one moment's."""
    assert not _failing(IN_FLIGHT - 1).lasts
    assert _failing(IN_FLIGHT).lasts


@pytest.mark.usefixtures("at_once")
def test_an_answer_ends_it() -> None:
    """Whoever got it."""
    outage = _failing(IN_FLIGHT)
    outage.answered()
    outage.failed()
    assert not outage.lasts


@pytest.mark.usefixtures("at_once")
def test_looks_at_many_keys_give_up_together(server: ScriptedServer, settings: Settings) -> None:
    """The rest is said to be not known, and not asked about; who looks at a single key is still answered."""
    server.script = lambda _request: [b""]
    seen = [verify(settings, f"of_key_{number}", gives_up=True) for number in range(IN_FLIGHT + 8)]
    assert {state.status for state in seen} == {None}
    assert [state.problem for state in seen] == (
        ["OpenFunnel was asked, but it could not be reached"] * IN_FLIGHT
        + ["OpenFunnel has not answered anybody for a while, so it was not asked"] * 8
    )
    assert len(server.requests) == IN_FLIGHT
    server.script = lambda _request: [BALANCE]
    assert verify(settings, "of_key_0").status == ACTIVE
    assert verify(settings, "of_key_1", gives_up=True).status == ACTIVE


@pytest.mark.usefixtures("at_once")
def test_an_answer_that_does_not_help_is_no_outage(server: ScriptedServer, settings: Settings) -> None:
    """Each key is asked about."""
    server.script = lambda _request: [answer(503)]
    for number in range(IN_FLIGHT + 8):
        assert (
            verify(settings, f"of_key_{number}", gives_up=True).problem == "OpenFunnel was asked, but it answered 503"
        )
