"""What one operation knows: once for all, whoever asks."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pulumi_openfunnel.errors import InvalidSetting
from pulumi_openfunnel.operation import SILENT, Operation
from pulumi_openfunnel.provisioning.keys import ACTIVE
from pulumi_openfunnel.provisioning.session import Session
from pulumi_openfunnel.provisioning.verify import KeyState

from ..servers import ORCHESTRATOR, PROVISIONER_KEY

CONFIG: dict[str, Any] = {"openfunnel:userId": ORCHESTRATOR, "openfunnel:apiKey": PROVISIONER_KEY}


def _session(config: dict[str, Any] | None = None, **environ: str) -> Session:
    return Session((CONFIG if config is None else config).get, environ, SILENT)


def test_callers_share_connections_and_differ_in_credentials() -> None:
    """One client and one pace an API, whoever's credentials are used; a part of the operation may speak for itself."""
    session = _session(CONFIG | {"openfunnel:orchestrators": '{"acme": {"userId": "ann@acme.com"}}'})
    ours, acmes = session.caller(), session.caller("acme")
    assert (ours.settings.domain, acmes.settings.domain) == ("orchestrator.com", "acme.com")
    assert ours.connections is acmes.connections is session.connections
    assert ours.client is acmes.client
    assert session.connections.pace(ours.settings) is session.connections.pace(acmes.settings)
    assert ours.operation is session.operation
    alone = Operation()
    assert session.caller(operation=alone).operation is alone
    session.connections.close()


def test_settings_are_read_when_they_are_needed() -> None:
    """What is missing fails whoever asks for it, and the ledger's place is known without."""
    session = _session({}, OPENFUNNEL_LEDGER="/somewhere/ledger.db")
    with pytest.raises(InvalidSetting, match="openfunnel:userId is not set"):
        session.caller()
    assert session.ledger_file() == Path("/somewhere/ledger.db")


def test_the_first_time_is_once() -> None:
    """Of many threads one gets to do it."""
    session, start = _session(), threading.Barrier(16)

    def ask(_number: int) -> bool:
        start.wait()
        return session.first(("warn", "of this"))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 1
    assert session.first(("warn", "of that"))


def test_a_key_is_looked_at_once() -> None:
    """A refresh reads everything twice."""
    session, asked = _session(), list[str]()

    def ask() -> KeyState:
        asked.append("of_alice")
        return KeyState(ACTIVE)

    assert [session.key_state("of_alice", ask).status for _ in range(2)] == [ACTIVE, ACTIVE]
    assert asked == ["of_alice"]


def test_all_verbs_work_with_the_same_threads() -> None:
    """However many verbs run at once, no more than 48 users are worked on, and each verb gets its own results."""
    session, lock = _session(), threading.Lock()
    at_work, most, start = 0, 0, threading.Barrier(8)

    def work(name: str) -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return name.upper()

    def verb(number: int) -> dict[str, str]:
        start.wait()
        return session.of_each([f"user{number}-{n}" for n in range(20)], work)

    with ThreadPoolExecutor(8) as verbs:
        for number, found in enumerate(verbs.map(verb, range(8))):
            assert found == {f"user{number}-{n}": f"USER{number}-{n}" for n in range(20)}
    assert 1 < most <= 48
