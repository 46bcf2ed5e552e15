"""The harness that drives the CLI, with a CLI of our own making on PATH."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from harness import Failed, Hung, Project, wait_until
from harness.processes import descendants, kill, living_on, providers_of
from harness.runbook import mend, up_after_a_kill

# "pulumi WHAT ..." does what its first argument is.
CLI = """#!/bin/sh
case "$1" in
show) echo "secrets: $(cat)"; echo "home $PULUMI_HOME ledger $OPENFUNNEL_LEDGER key ${OPENFUNNEL_API_KEY-none}";;
warn) printf 'warning: early\\nDiagnostics:\\n  warning: late\\n  warning: late\\n  error: bad\\n'; exit 255;;
hang) sleep 600 & echo started; wait;;
provide) python3 -c 'import time; time.sleep(600)' pulumi.dynamic & echo started; wait;;
trap) trap 'echo interrupted; exit 7' INT; echo started; while :; do sleep 0.05; done;;
cancel) echo "$*" >> "$CALLS"; rm -f "$STATE/lock";;
up)
  if test -e "$STATE/lock"; then echo 'error: the stack is currently locked by 1 lock(s)'; exit 1; fi
  if test -e "$STATE/dev.json.attrs"; then echo 'error: failed to load checkpoint: EOF'; exit 1; fi
  if test ! -s "$STATE/dev.json"; then echo 'error: failed to load checkpoint: unexpected end'; exit 1; fi
  if grep -q broken "$STATE/dev.json"; then echo 'error: something else'; exit 1; fi
  echo done;;
esac
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose CLI is the one above."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "pulumi").write_text(CLI)
    (directory / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OPENFUNNEL_API_KEY", "of_mine")
    return Project(tmp_path / "root", keeps_logs=True)


@pytest.fixture
def state(project: Project) -> Path:
    """The stack's file, whole, with a backup."""
    made = project.checkpoint()
    made.parent.mkdir(parents=True)
    made.write_text("whole")
    made.with_name("dev.json.bak").write_text("older")
    project.setenv(STATE=str(made.parent), CALLS=str(project.root / "calls"))
    return made


def test_a_command_has_a_place_of_its_own(project: Project) -> None:
    """Its home and its ledger are below the root, and the machine's settings do not reach it."""
    done = project.pulumi("show", stdin="what it reads")
    home, ledger = project.root / "home", project.root / "ledger" / "ledger.db"
    assert done.output == f"secrets: what it reads\nhome {home} ledger {ledger} key none\n"
    assert (done.status, done.seconds > 0) == (0, True)


def test_what_shows_secrets_is_not_kept(project: Project) -> None:
    """Every other output is a file of the run."""
    project.pulumi("show", stdin="kept")
    assert "of_user" in project.pulumi("show", "--show-secrets", stdin="of_user").output
    project.pulumi("warn", check=False)
    logs = sorted((project.root / "logs").iterdir())
    assert [log.name for log in logs] == ["01-show.txt", "03-warn.txt"]
    assert all("of_user" not in log.read_text() for log in logs)


def test_diagnostics_are_told_once_each(project: Project) -> None:
    """Warnings and errors are the diagnostics' own; a command that fails without a reason to is an error that shows it."""
    done = project.pulumi("warn", check=False)
    assert (done.status, done.warnings, done.errors) == (255, ["late"], ["bad"])
    with pytest.raises(Failed, match=r"pulumi warn --x ended with 255:\nwarning: early") as caught:
        project.pulumi("warn", "--x")
    assert caught.value.done.status == 255


def test_a_command_that_hangs_is_given_up(tmp_path: Path, project: Project) -> None:
    """So is all that it started."""
    impatient = Project(project.root, name="impatient", patience=1.0)
    with pytest.raises(Hung, match="pulumi hang did not end in 1 s"):
        impatient.pulumi("hang")
    assert wait_until(lambda: not living_on(project.root), 20), living_on(tmp_path)


def test_what_is_killed_leaves_its_children(project: Project) -> None:
    """A kill hits the CLI alone; kill_everything hits who lives on."""
    running = project.start("provide")
    assert wait_until(lambda: providers_of(running.pid), 20)
    provider = providers_of(running.pid)[0]  # a child of it looks the same until it is another program
    assert provider in descendants(running.pid)
    running.kill()
    assert running.wait().status == -signal.SIGKILL
    assert provider in living_on(project.root)
    running.kill_everything()
    assert wait_until(lambda: not living_on(project.root), 20)
    assert not kill(running.pid, signal.SIGTERM)


@pytest.mark.parametrize("group", [False, True])
def test_an_interrupted_command_ends_in_its_own_way(project: Project, group: bool) -> None:
    """SIGINT reaches the CLI, or its whole process group, and not who started it."""
    running = project.start("trap")
    log = project.root / "logs" / "01-trap.txt"
    assert wait_until(lambda: log.read_text() == "started\n", 20)
    assert not running.ends_within(0.2)
    running.interrupt(group=group)
    assert running.ends_within(20)
    done = running.wait()
    assert (done.status, done.output) == (7, "started\ninterrupted\n")
    running.interrupt()  # too late, and no error


def test_the_runbook_unlocks_and_puts_the_state_back(project: Project, state: Path) -> None:
    """A lock is cancelled, empty attributes go, a torn state is its backup again; then the update succeeds."""
    (state.parent / "lock").touch()
    state.with_name("dev.json.attrs").touch()
    state.write_text("")
    assert up_after_a_kill(project).output == "done\n"
    assert state.read_text() == state.with_name("dev.json.bak").read_text() == "older"
    assert (project.root / "calls").read_text() == "cancel --yes dev --non-interactive --color never\n"


def test_the_runbook_leaves_other_errors_alone(project: Project, state: Path) -> None:
    """What is not about the state is shown."""
    state.write_text("broken")
    assert not mend(project, project.up(check=False))
    with pytest.raises(Failed, match="something else"):
        up_after_a_kill(project)


def test_an_existing_project_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its Pulumi.yaml stays; a new one names this Python."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Pulumi.yaml").write_text("mine")
    assert Project(tmp_path / "root", directory=tmp_path / "mine").directory == tmp_path / "mine"
    assert (tmp_path / "mine" / "Pulumi.yaml").read_text() == "mine"
    assert sys.prefix in (Project(tmp_path / "root").directory / "Pulumi.yaml").read_text()
