"""What a release would publish, opened."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.release import build, digests

ROOT = Path(__file__).parents[2]
INFO = "pulumi_openfunnel-0.1.0.dist-info"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel."""
    wheel, sdist = sorted(build(tmp_path_factory.mktemp("dist")), key=lambda path: path.suffix, reverse=True)
    return sdist, wheel


def _tracked(*folders: str) -> set[str]:
    """What git holds or would take, in these folders."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return {name for name in names if (ROOT / name).exists()}


def test_the_wheel_holds_the_package_alone(built: tuple[Path, Path]) -> None:
    """Each file of the package that git knows, the metadata, and nothing else: no tests, no caches."""
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    info = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}
    assert names == _tracked("pulumi_openfunnel") | info
    assert {"pulumi_openfunnel/py.typed", "pulumi_openfunnel/pulumi-plugin.json"} <= names


def test_the_sdist_holds_what_git_holds(built: tuple[Path, Path]) -> None:
    """The package, its tests, its pages and what they need, and nothing that git does not know."""
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = _tracked(
        "pulumi_openfunnel", "tests", "docs", "tools", "harness", "examples", "pyproject.toml", "README.md"
    )
    assert wanted <= names
    assert names - {"PKG-INFO"} <= _tracked(".")


def test_no_path_of_a_machine(built: tuple[Path, Path]) -> None:
    """Nothing in the wheel names a place where it was built."""
    with zipfile.ZipFile(built[1]) as wheel:
        found = [name for name in wheel.namelist() if str(ROOT).encode() in wheel.read(name)]
        homes = [name for name in wheel.namelist() if b"/home/" in wheel.read(name) or b"/Users/" in wheel.read(name)]
    assert found == homes == []


def test_the_metadata(built: tuple[Path, Path]) -> None:
    """Bounds, licence and links, as an index shows them."""
    with zipfile.ZipFile(built[1]) as wheel:
        metadata = email.message_from_bytes(wheel.read(f"{INFO}/METADATA"))
    assert "pulumi<4,>=3.231" in metadata.get_all("Requires-Dist", [])
    assert (metadata["Requires-Python"], metadata["License-Expression"]) == (">=3.10", "Apache-2.0")
    links = [link.split(", ")[0] for link in metadata.get_all("Project-URL", [])]
    assert links == ["Documentation", "Repository", "Changelog", "Issues"]


def test_twine_accepts_both(built: tuple[Path, Path]) -> None:
    """Its page renders on an index."""
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_second_build_is_the_same(built: tuple[Path, Path], tmp_path: Path) -> None:
    """Byte by byte, so that anybody can compare what was published with the tag."""
    assert digests(build(tmp_path)) == digests(sorted(built))
