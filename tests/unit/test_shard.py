"""A shard's provider in this process, where what cannot happen can be made to."""

from __future__ import annotations

import pytest

from pulumi_openfunnel import schema as documents
from pulumi_openfunnel.dynamic import shard
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning import create as provisioning
from pulumi_openfunnel.provisioning.create import EndUser
from pulumi_openfunnel.provisioning.verify import ProvisionedKey
from pulumi_openfunnel.settings import Settings


def test_a_defect_takes_nobody_elses_key(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The user whom it befell fails, with a traceback as a warning; the others' keys are in the outputs."""

    def provision(_settings: Settings, user: EndUser, _operation: Operation) -> ProvisionedKey:
        if user.email == "bob@b.com":
            raise KeyError("what")
        return ProvisionedKey("1", f"of_{user.email}")

    monkeypatch.setattr(provisioning, "provision", provision)
    monkeypatch.setenv("OPENFUNNEL_USER_ID", "guy@orchestrator.com")
    monkeypatch.setenv("OPENFUNNEL_LEDGER", "off")
    emails = {email: f"{email[0]}@orchestrator.com" for email in ("alice@a.com", "bob@b.com", "carol@c.com")}
    props = documents.closed({"roster": "team", "emails": sorted(emails), "internal_emails": emails})
    outs = documents.opened(shard.ShardProvider().create(props).outs or {})
    assert outs["api_keys"] == {"alice@a.com": "of_alice@a.com", "carol@c.com": "of_carol@c.com"}
    assert outs["failed"] == {"bob@b.com": "KeyError: a defect of pulumi-openfunnel, see the warning."}
    assert "warning: bob@b.com: Traceback" in capfd.readouterr().err
