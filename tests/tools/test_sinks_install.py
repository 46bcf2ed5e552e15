"""tools/sinks/install, with a pip and a Go of our own making."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "tools" / "sinks" / "install"

# What stands for pip: a package of this interpreter's, found before the real one.
PIP = """
import os, sys
from pathlib import Path

with Path(os.environ["LOG"]).open("a") as log:
    log.write("pip\\n")
if "fail" in os.environ:
    print("no matching distribution")
    sys.exit(1)
target = Path(sys.argv[sys.argv.index("--target") + 1])
(target / "pulumi_aws").mkdir()
"""

GO = """#!/bin/sh
case "$1 $2" in
"mod download") echo "{\\"Dir\\": \\"$MODULE\\"}"; exit;;
esac
echo "go $(ls | tr '\\n' ' ')" >> "$LOG"
for word in "$@"; do test "$previous" = -o && out=$word; previous=$word; done
printf '#!/bin/sh\\n' > "$out"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home, a cache, a log, and the two tools."""
    (tmp_path / "modules" / "pip").mkdir(parents=True)
    (tmp_path / "modules" / "pip" / "__init__.py").touch()
    (tmp_path / "modules" / "pip" / "__main__.py").write_text(PIP)
    documents = tmp_path / "module" / "cmd" / "pulumi-resource-kubernetes"
    documents.mkdir(parents=True)
    for name in ("schema.json", "terraform-mapping.json"):
        (documents / name).write_text("{}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "go").write_text(GO)
    (tmp_path / "bin" / "go").chmod(0o755)
    return {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(tmp_path / "modules"),
        "MODULE": str(tmp_path / "module"),
        "LOG": str(tmp_path / "log"),
    }


def _install(environment: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(INSTALL), *names], env=environment, capture_output=True, text=True, check=False
    )


def test_the_sdks_are_installed_once(environment: dict[str, str]) -> None:
    """Into a directory of the cache, which is its last line; the second time it is there."""
    first, again = (_install(environment, "sdks").stdout.splitlines()[-1] for _ in range(2))
    assert first == again
    assert (Path(first) / "pulumi_aws").is_dir()
    assert Path(first).is_relative_to(environment["XDG_CACHE_HOME"])
    assert Path(environment["LOG"]).read_text() == "pip\n"


def test_the_provider_is_built_beside_its_modules_documents(environment: dict[str, str]) -> None:
    """Once; the checkout's own directory stays as it is."""
    first, again = (_install(environment, "kubernetes").stdout.splitlines()[-1] for _ in range(2))
    assert first == again
    assert (Path(first) / "pulumi-resource-kubernetes").is_file()
    [built] = Path(environment["LOG"]).read_text().splitlines()
    assert built.split() == ["go", "go.mod", "go.sum", "main.go", "schema.json", "terraform-mapping.json"]
    assert sorted(path.name for path in (INSTALL.parent / "kubernetes").iterdir()) == ["go.mod", "go.sum", "main.go"]


def test_what_fails_leaves_nothing(environment: dict[str, str]) -> None:
    """It says what the tool said, and the next run starts anew."""
    done = _install(environment | {"fail": "1"}, "sdks")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no matching distribution" in done.stderr
    cache = Path(environment["XDG_CACHE_HOME"]) / "pulumi-openfunnel" / "sinks"
    assert [path.name for path in cache.iterdir()] == ["lock"]
    assert _install(environment, "sdks").returncode == 0


def test_without_go_there_is_no_provider(environment: dict[str, str], tmp_path: Path) -> None:
    """One line says what to install."""
    done = _install(environment | {"PATH": str(tmp_path)}, "kubernetes")
    assert (done.returncode, done.stdout) == (1, "")
    assert "install Go (https://go.dev/dl/)" in done.stderr


@pytest.mark.parametrize("names", [[], ["terraform"]])
def test_another_name_is_refused(environment: dict[str, str], names: list[str]) -> None:
    """The line names those that there are."""
    done = _install(environment, *names)
    assert (done.returncode, done.stderr) == (2, "sinks: name one of sdks, kubernetes\n")
