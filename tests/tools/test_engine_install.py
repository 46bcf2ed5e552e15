"""tools/engine/install, with an installer and a Go of our own making on PATH."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "tools" / "engine" / "install"
COMMANDS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")

# What get.pulumi.com would give: a script that fills the install root.
INSTALLER = """#!/bin/sh
echo asked >> "$LOG"
cat <<'END'
while [ $# -gt 0 ]; do case "$1" in --install-root) root=$2;; esac; shift; done
mkdir -p "$root/bin"
for name in %s; do echo '#!/bin/sh' > "$root/bin/$name"; chmod +x "$root/bin/$name"; done
END
"""

# A Go that builds two commands and knows one module.
GO = """#!/bin/sh
case "$1 $2" in
"mod download") echo "{\\"Dir\\": \\"$MODULE\\"}"; exit;;
esac
echo built >> "$LOG"
for word in "$@"; do test "$previous" = -o && out=$word; previous=$word; done
printf '#!/bin/sh\\n' > "$out/pulumi"
%s
printf '#!/bin/sh\\n' > "$out/pulumi-language-python"
chmod +x "$out/pulumi" "$out/pulumi-language-python"
"""


@dataclass
class Machine:
    """A home, a PATH and a log of what was called."""

    root: Path

    def __post_init__(self) -> None:
        self.bin = self.root / "bin"
        self.cache = self.root / "cache" / "pulumi-openfunnel" / "engine"
        self.log = self.root / "log"
        module = self.root / "module" / "python"
        for directory in (self.bin, self.root / "home", module / "cmd", module / "dist"):
            directory.mkdir(parents=True)
        (module / "cmd" / COMMANDS[2]).touch()
        (module / "dist" / COMMANDS[3]).touch()
        for name in ("sh", "cat", "chmod", "mkdir", "sleep"):
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.command("curl", "#!/bin/sh\necho 'could not resolve host' >&2\nexit 6\n")

    def command(self, name: str, text: str, directory: Path | None = None) -> None:
        file = (directory or self.bin) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def start(self) -> subprocess.Popen[str]:
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "LOG": str(self.log),
            "MODULE": str(self.root / "module"),
        }
        return subprocess.Popen(
            [sys.executable, str(INSTALL)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def install(self) -> tuple[int, str, str]:
        process = self.start()
        out, err = process.communicate(timeout=60)
        return process.returncode, out.strip(), err

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_installed_cli_is_preferred_and_not_touched(machine: Machine) -> None:
    """With its language host there, the directory of the installed CLI is the answer, and nothing is kept."""
    for name in COMMANDS[:2]:
        machine.command(name, "#!/bin/sh\n", machine.root / "home" / ".pulumi" / "bin")
    status, out, _ = machine.install()
    assert (status, out) == (0, str(machine.root / "home" / ".pulumi" / "bin"))
    assert not machine.cache.exists()


def test_the_official_installer_is_asked_once(machine: Machine) -> None:
    """A CLI without a language host does not count; what the installer gave is kept for the next run."""
    machine.command("pulumi", "#!/bin/sh\n")
    machine.command("curl", INSTALLER % " ".join(COMMANDS))
    first, second = machine.install(), machine.install()
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert sorted(file.name for file in Path(first[1]).iterdir()) == sorted(COMMANDS)
    assert machine.calls == ["asked"]


def test_without_the_installer_go_builds_once(machine: Machine) -> None:
    """Where only Go modules can be had, they are built and kept, and the installer's refusal is told."""
    machine.command("go", GO % "")
    first, second = machine.install(), machine.install()
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert sorted(file.name for file in Path(first[1]).iterdir() if os.access(file, os.X_OK)) == sorted(COMMANDS)
    assert "could not resolve host" in first[2]
    assert machine.calls == ["built"]


def test_a_killed_build_leaves_nothing_that_is_used(machine: Machine) -> None:
    """A build that is killed half-way is not taken for a CLI: the next run clears it and builds again."""
    machine.command("go", GO % 'sleep 600 & echo $! > "$LOG.pid"; wait')
    process = machine.start()
    pid = Path(f"{machine.log}.pid")
    for _ in range(400):
        if pid.exists() and pid.read_text().strip():
            break
        time.sleep(0.05)
    process.kill()
    process.communicate()
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert [left.name for left in machine.cache.glob("aside-*")]

    machine.command("go", GO % "")
    status, out, _ = machine.install()
    assert status == 0
    assert Path(out).parent.name.startswith("3.")
    assert not list(machine.cache.glob("aside-*"))
    assert machine.calls == ["built", "built"]


def test_two_at_once_build_once(machine: Machine) -> None:
    """The second run waits for the first one's result."""
    machine.command("go", GO % "sleep 1")
    one, two = machine.start(), machine.start()
    outputs = [process.communicate(timeout=60)[0].strip() for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    assert outputs[0] == outputs[1]
    assert machine.calls == ["built"]


def test_the_last_word_when_nothing_works(machine: Machine) -> None:
    """Exit status 1, and one line that says what to install."""
    machine.command("go", "#!/bin/sh\necho 'proxy says no' >&2\nexit 1\n")
    status, out, err = machine.install()
    assert (status, out) == (1, "")
    assert "proxy says no" in err
    assert err.strip().splitlines()[-1].startswith("engine: no Pulumi CLI could be had. Install one (https://")
