"""A shard's verbs in this process, where what cannot happen can be made to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_openfunnel.api.answers import CreatedUser
from pulumi_openfunnel.api.client import Client
from pulumi_openfunnel.dynamic.process import Process
from pulumi_openfunnel.dynamic.shard import ShardVerbs
from pulumi_openfunnel.dynamic.shard_state import closed, opened
from pulumi_openfunnel.provisioning.connections import Connections
from pulumi_openfunnel.settings import Settings


class _Defective(Client):
    """A client with a defect, for one user alone."""

    def create_user(self, internal_email: str, **_: Any) -> CreatedUser:
        if internal_email == "b@orchestrator.com":
            raise KeyError("what")
        return CreatedUser("1", internal_email, f"of_{internal_email}")


class _DefectiveConnections(Connections):
    def client(self, settings: Settings) -> Client:
        return _Defective(settings.base_url)


def test_a_defect_takes_nobody_elses_key(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The user whom it befell fails, with a traceback as a warning; the others' keys are in the outputs."""
    monkeypatch.setenv("OPENFUNNEL_USER_ID", "guy@orchestrator.com")
    monkeypatch.setenv("OPENFUNNEL_API_KEY", "of_provisioner")
    monkeypatch.setenv("OPENFUNNEL_LEDGER", "off")
    process = Process()
    process.session.connections = _DefectiveConnections()
    members = {f"cust-{n}": {"email": f"{n}@a.com", "internal_email": f"{n}@orchestrator.com"} for n in ("a", "b", "c")}
    outs = opened(ShardVerbs(process).create(closed({"roster": "team", "members": members})).outs or {})
    assert json.loads(outs["api_keys"]["value"]) == {
        "cust-a": "of_a@orchestrator.com",
        "cust-c": "of_c@orchestrator.com",
    }
    assert outs["failed"] == {"cust-b": "KeyError: a defect of pulumi-openfunnel, see the warning."}
    assert "applied" not in outs
    assert "warning: cust-b: Traceback" in capfd.readouterr().err
