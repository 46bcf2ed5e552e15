"""An API that answers nobody: after a while it is not asked about the rest."""

from __future__ import annotations

import pytest

from pulumi_openfunnel.api import pace
from pulumi_openfunnel.api.pace import IN_FLIGHT, Outage
from pulumi_openfunnel.provisioning.keys import ACTIVE
from pulumi_openfunnel.provisioning.verify import verify

from ..servers import ScriptedServer, answer
from .provisions import Callers

BALANCE = answer(200, {"credits_left": 1})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No while: as many failures as there are requests at once will do."""
    monkeypatch.setattr(pace, "OUTAGE", 0.0)


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
def test_looks_at_many_keys_give_up_together(server: ScriptedServer, callers: Callers) -> None:
    """The rest is said to be not known, and not asked about; who looks at a single key is still answered."""
    caller = callers(server.base_url)
    server.script = lambda _request: [b""]
    seen = [verify(caller, f"of_key_{number}", gives_up=True) for number in range(IN_FLIGHT + 8)]
    assert {state.status for state in seen} == {None}
    assert [state.problem for state in seen] == (
        ["OpenFunnel was asked, but it could not be reached."] * IN_FLIGHT
        + ["OpenFunnel has not answered anybody for a while, so it was not asked."] * 8
    )
    assert len(server.requests) == IN_FLIGHT
    server.script = lambda _request: [BALANCE]
    assert verify(caller, "of_key_0").status == ACTIVE
    assert verify(caller, "of_key_1", gives_up=True).status == ACTIVE


@pytest.mark.usefixtures("at_once")
def test_an_answer_that_does_not_help_is_no_outage(server: ScriptedServer, callers: Callers) -> None:
    """Each key is asked about."""
    caller = callers(server.base_url)
    server.script = lambda _request: [answer(503)]
    for number in range(IN_FLIGHT + 8):
        assert verify(caller, f"of_key_{number}", gives_up=True).problem == "OpenFunnel was asked, but it answered 503."
