"""The package as users have it: an installed wheel, far from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pulumi_openfunnel.simulator import Accounts

from .conftest import ORCHESTRATOR, PROVISIONER_KEY

ROOT = Path(__file__).parents[2]

INLINE = """
import os
import pulumi
from pulumi import automation
import pulumi_openfunnel as openfunnel

assert "site" in openfunnel.__file__, openfunnel.__file__

def program():
    alice = openfunnel.ProvisionedUser("alice", email="alice@alice-startup.com")
    pulumi.export("api_key", alice.api_key)

stack = automation.create_stack("dev", project_name="inline", program=program)
result = stack.up()
assert result.outputs["api_key"].secret
assert stack.up().summary.resource_changes == {"same": 2}
stack.destroy()
print(result.outputs["api_key"].value)
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
    """An inline program in a directory of its own creates a user, with nothing of the source tree in reach."""
    (tmp_path / "home").mkdir()
    (tmp_path / "state").mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENFUNNEL_", "PULUMI_"))} | {
        "PYTHONPATH": str(site),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
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
    assert done.stdout.strip().splitlines()[-1] == user.api_key


def test_the_quickstart_and_the_readme_show_one_program() -> None:
    """The README's program is the quickstart's, line for line, up to what it exports."""
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0].splitlines()
    quickstart = (ROOT / "examples" / "quickstart" / "__main__.py").read_text().splitlines()
    assert [line for line in shown if line not in quickstart] == []
    assert len(shown) >= 4
