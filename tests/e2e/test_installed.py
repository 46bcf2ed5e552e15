"""The package as users have it: an installed wheel, far from the source tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..servers import ORCHESTRATOR, PROVISIONER_KEY

ROOT = Path(__file__).parents[2]

INLINE = """
from concurrent.futures import ThreadPoolExecutor
import pulumi
from pulumi import automation
import pulumi_openfunnel as openfunnel

assert "site" in openfunnel.__file__, openfunnel.__file__

def program():
    alice = openfunnel.ProvisionedUser("alice", email="alice@alice-startup.com")
    pulumi.export("api_key", alice.api_key)

def colliding():
    program()
    openfunnel.ProvisionedUser("eve", email="alice@eve.com")

first, second = (automation.create_stack(name, project_name="inline", program=program) for name in ("dev", "test"))
result = first.up()
assert result.outputs["api_key"].secret
print("KEY", result.outputs["api_key"].value)
with ThreadPoolExecutor() as pool:
    again, preview = pool.submit(first.up), pool.submit(second.preview)
    assert again.result().summary.resource_changes == {"same": 2}
    assert preview.result().change_summary == {"create": 2}
try:
    automation.select_stack("test", project_name="inline", program=colliding).preview()
except automation.CommandError as error:
    assert '"alice" and "eve" both map to alice@orchestrator.com.' in str(error), error
else:
    raise AssertionError("no collision")
first.destroy()
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built wheel's content, as pip lays it out."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT)], check=True)
    [wheel] = wheels.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "pulumi_openfunnel/py.typed" in names
    assert "pulumi_openfunnel/pulumi-plugin.json" in names
    assert not [name for name in names if name.startswith(("tests", "tools", "examples"))]
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    return site


def test_the_automation_api_runs_the_installed_wheel(site: Path, api: str, accounts: Accounts, tmp_path: Path) -> None:
    """Inline programs far from the source tree: run twice, two stacks at once, and one with a collision."""
    (tmp_path / "home").mkdir()
    environment = Project(tmp_path).environment | {
        "PYTHONPATH": str(site),
        "PULUMI_PYTHON_CMD": sys.executable,
        "OPENFUNNEL_USER_ID": ORCHESTRATOR,
        "OPENFUNNEL_API_KEY": PROVISIONER_KEY,
        "OPENFUNNEL_BASE_URL": api,
    }
    done = subprocess.run(
        [sys.executable, "-c", INLINE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [user] = accounts.users
    assert f"KEY {user.api_key}" in done.stdout.splitlines()
