"""tools/servers/install, with a Go and an npm of our own making on PATH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "tools" / "servers" / "install"

# A Go that builds one command.
GO = """#!/bin/sh
echo built >> "$LOG"
for word in "$@"; do test "$previous" = -o && out=$word; previous=$word; done
%s
printf '#!/bin/sh\\n' > "$out/versitygw"
"""
# An npm that installs one package.
NPM = """#!/bin/sh
echo installed >> "$LOG"
for word in "$@"; do test "$previous" = --prefix && out=$word; previous=$word; done
mkdir -p "$out/node_modules/.bin"
printf '#!/bin/sh\\n' > "$out/node_modules/.bin/azurite-blob"
"""


@dataclass
class Machine:
    """A home, a PATH and a log of what was called."""

    root: Path

    def __post_init__(self) -> None:
        self.bin = self.root / "bin"
        self.log = self.root / "log"
        for directory in (self.bin, self.root / "home"):
            directory.mkdir()
        for name in ("sh", "mkdir", "sleep"):
            (self.bin / name).symlink_to(shutil.which(name) or name)

    def command(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(text)
        file.chmod(0o755)

    def start(self, *names: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "LOG": str(self.log),
        }
        command = [sys.executable, str(INSTALL), *names]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def install(self, *names: str) -> tuple[int, str, str]:
        process = self.start(*names)
        out, err = process.communicate(timeout=60)
        return process.returncode, out.strip(), err

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_s3_server_is_built_once(machine: Machine) -> None:
    """What Go built is kept in the user's cache directory by version, and its directory is the last line."""
    machine.command("go", GO % "")
    first, second = machine.install("s3"), machine.install("s3")
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert [file.name for file in Path(first[1]).iterdir()] == ["versitygw"]
    assert Path(first[1]).name.startswith("versitygw-1.")
    assert machine.calls == ["built"]


def test_two_at_once_build_once(machine: Machine) -> None:
    """The second run waits for the first one's result."""
    machine.command("go", GO % "sleep 1")
    one, two = machine.start("s3"), machine.start("s3")
    outputs = [process.communicate(timeout=60)[0].strip() for process in (one, two)]
    assert outputs[0] == outputs[1] != ""
    assert machine.calls == ["built"]


def test_a_build_that_fails_leaves_nothing(machine: Machine) -> None:
    """What a compiler says is shown, nothing half-made is kept, and the next run builds again."""
    machine.command("go", "#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    status, out, err = machine.install("s3")
    assert (status, out) == (1, "")
    assert "no such module" in err
    machine.command("go", GO % "")
    assert machine.install("s3")[0] == 0
    assert machine.calls == ["built"]


def test_azurite_is_installed_once(machine: Machine) -> None:
    """What npm installed is kept by version, and its programs' directory is the last line."""
    machine.command("npm", NPM)
    first, second = machine.install("azure"), machine.install("azure")
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert [file.name for file in Path(first[1]).iterdir()] == ["azurite-blob"]
    assert machine.calls == ["installed"]


@pytest.mark.parametrize(("name", "needed"), [("s3", "Go"), ("azure", "Node"), ("moon", "azure, postgresql, s3")])
def test_what_is_missing_is_told(machine: Machine, name: str, needed: str) -> None:
    """Without Go or Node, one line says what to install; for another name, which are known."""
    status, out, err = machine.install(name)
    assert status > 0
    assert out == ""
    assert needed in err
    assert err.count("\n") == 1
