"""examples/kubernetes on the real engine, with the real provider, into manifests: no cluster is needed.

Not collected by itself, because the provider takes a quarter of an hour to build: ``make sinks``.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .programs import EXAMPLES, ROOT

CUSTOMERS = {"cust-17": "alice@alice-startup.com", "Cust_18/ü": "bob@bobs-bikes.com"}


def _installed(name: str) -> str:
    install = [sys.executable, str(ROOT / "tools" / "sinks" / "install"), name]
    return subprocess.run(install, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]


@pytest.fixture
def project(tmp_path: Path, api: str) -> Project:
    """The example, with the provider on PATH and its SDK beside what the tests have."""
    made = Project(tmp_path / "stack", name="kubernetes", patience=300)
    shutil.copyfile(EXAMPLES / "kubernetes" / "__main__.py", made.directory / "__main__.py")
    made.add_stack()
    made.setenv(
        PATH=os.pathsep.join([_installed("kubernetes"), os.environ["PATH"]]),
        PYTHONPATH=_installed("sdks"),
        OPENFUNNEL_USER_ID=ORCHESTRATOR,
        OPENFUNNEL_API_KEY=PROVISIONER_KEY,
        OPENFUNNEL_BASE_URL=api,
    )
    made.pulumi("config", "set", "manifests", str(tmp_path / "manifests"))
    return made


def _declare(project: Project, customers: dict[str, str]) -> None:
    project.pulumi("config", "rm", "customers", check=False)
    for id_, email in customers.items():
        project.pulumi("config", "set", "--path", f'customers["{id_}"]', email)


def _manifests(directory: Path, kind: str) -> dict[str, Any]:
    """By name, the manifests of a kind."""
    found: Iterator[Any] = (yaml.safe_load(file.read_text()) for file in directory.rglob("*.yaml"))
    return {manifest["metadata"]["name"]: manifest for manifest in found if manifest["kind"] == kind}


def test_manifests_hold_what_the_state_does_not_show(project: Project, accounts: Accounts, tmp_path: Path) -> None:
    """A Secret a customer with its key; nothing of it in the state, plain or in base64; the next preview is unchanged."""
    _declare(project, CUSTOMERS)
    project.up()
    keys = {user.email.partition("@")[0]: user.api_key for user in accounts.users}
    held = {
        name: base64.b64decode(manifest["data"]["OPENFUNNEL_API_KEY"]).decode()
        for name, manifest in _manifests(tmp_path / "manifests", "Secret").items()
    }
    assert sorted(held.values()) == sorted(keys.values())
    assert held["openfunnel-cust-17"] == keys["alice"]
    for key in keys.values():
        assert project.grep(key) == project.grep(base64.b64encode(key.encode()).decode()) == []
    project.pulumi("preview", "--expect-no-changes")


def test_a_changed_key_restarts_and_a_customer_that_leaves_is_gone(
    project: Project, accounts: Accounts, tmp_path: Path
) -> None:
    """The Secret is updated in place, the pods' template bears another fingerprint; the other one's files go."""
    _declare(project, CUSTOMERS)
    project.up()
    before = _manifests(tmp_path / "manifests", "Deployment")["openfunnel-cust-17"]
    _declare(project, {"cust-17": "carol@alice-startup.com"})
    shown = project.up().output
    [carol] = [user.api_key for user in accounts.users if user.email == "carol@orchestrator.com"]
    secrets = _manifests(tmp_path / "manifests", "Secret")
    assert list(secrets) == ["openfunnel-cust-17"]
    assert base64.b64decode(secrets["openfunnel-cust-17"]["data"]["OPENFUNNEL_API_KEY"]).decode() == carol
    after = _manifests(tmp_path / "manifests", "Deployment")["openfunnel-cust-17"]
    assert before["spec"]["template"]["metadata"] != after["spec"]["template"]["metadata"]
    lines = [line.split() for line in shown.splitlines() if "kubernetes:core/v1:Secret" in line]
    done = {(line[2], line[3]) for line in lines if len(line) > 3}
    assert {("cust-17", "updated"), ("Cust_18/ü", "deleted")} < done
    assert not {verb for _, verb in done} & {"created", "replaced"}
