"""A shard's verbs in this process, where what cannot happen can be made to."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_openfunnel.api.answers import CreatedUser
from pulumi_openfunnel.api.client import Client
from pulumi_openfunnel.dynamic.process import Process
from pulumi_openfunnel.dynamic.shard import ShardVerbs, closed, opened
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
    emails = {email: f"{email[0]}@orchestrator.com" for email in ("alice@a.com", "bob@b.com", "carol@c.com")}
    props = closed({"roster": "team", "emails": sorted(emails), "internal_emails": emails})
    outs = opened(ShardVerbs(process).create(props).outs or {})
    assert outs["api_keys"] == {"alice@a.com": "of_a@orchestrator.com", "carol@c.com": "of_c@orchestrator.com"}
    assert outs["failed"] == {"bob@b.com": "KeyError: a defect of pulumi-openfunnel, see the warning."}
    assert "warning: bob@b.com: Traceback" in capfd.readouterr().err
