"""How a Python language host makes a project's virtual environment: the one on PATH, official or stand-in."""

from __future__ import annotations

import contextlib
from pathlib import Path

import grpc
import pytest

from .hosts import Call, Host

UPGRADE = "-m pip install --upgrade pip setuptools wheel"
REQUIRED = "-m pip install -r requirements.txt"
STEPS = [
    "Installing dependencies...",
    "Creating virtual environment...",
    "Finished creating virtual environment",
    "Updating pip, setuptools, and wheel in virtual environment...",
    f"python {UPGRADE}",
    "Finished updating",
    "Installing dependencies in virtual environment...",
    f"python {REQUIRED}",
    "Finished installing dependencies",
    "Finished installing dependencies",
]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def _installed(host: Host, venv: Path) -> list[Call]:
    """The calls that make a virtual environment and fill it."""
    python, inside = str(venv / "bin" / "python"), str(venv / "bin")
    in_venv = [Call(python, str(host.program), str(venv), "", inside, args) for args in (UPGRADE, REQUIRED)]
    return [*host.calls[:1], *in_venv]


@pytest.mark.parametrize("absolute", [False, True])
def test_an_install_makes_the_environment_and_fills_it(host: Host, tmp_path: Path, absolute: bool) -> None:
    """The machine's Python makes it, relative to Pulumi.yaml; its own pip installs, in the program's directory."""
    venv = tmp_path / "elsewhere" if absolute else host.root / "venv"
    with host.serving():
        out, errors = host.install(virtualenv=str(venv) if absolute else "venv")
    assert host.calls == _installed(host, venv)
    assert (host.calls[0].python, host.calls[0].args) == (str(host.python), f"-m venv {venv}")
    assert [line for line in out.splitlines() if line] == STEPS
    assert errors.splitlines() == [f"warning of {args}" for args in (UPGRADE, REQUIRED)]


def test_an_install_fills_an_environment_that_is_there(host: Host) -> None:
    """A second pulumi install does all of it again."""
    with host.serving():
        host.install(virtualenv="venv")
        host.install(virtualenv="venv")
    assert len(host.calls) == 6
    assert host.calls[3:] == host.calls[:3]


@pytest.mark.parametrize("empty", [False, True])
def test_an_update_makes_an_environment_that_is_missing(host: Host, empty: bool) -> None:
    """Also where its directory is there and empty; the engine shows it in passing, and the next update has it."""
    if empty:
        (host.root / "venv").mkdir()
    with host.serving():
        host.prepare(virtualenv="venv")
        assert host.calls == _installed(host, host.root / "venv")
        host.prepare(virtualenv="venv")
    assert len(host.calls) == 3
    assert all(log.ephemeral for log in host.engine.logs)
    assert len({log.streamId for log in host.engine.logs}) == 1
    said = "".join(log.message for log in host.engine.logs)
    assert [step for step in STEPS[1:-1] if step not in said] == []
    assert f"warning of {REQUIRED}" in said


def test_what_is_there_and_no_environment_is_left_alone(host: Host) -> None:
    """A directory that holds something else is not touched, and the program does not run."""
    (host.root / "venv").mkdir()
    (host.root / "venv" / "mine.txt").touch()
    with host.serving():
        with contextlib.suppress(grpc.RpcError):  # the official one looks for packages in it
            host.prepare(virtualenv="venv")
        error = host.run(virtualenv="venv")
    assert "The 'virtualenv' option in Pulumi.yaml is set to \"venv\"".lower() in error.lower().replace('\\"', '"')
    assert str(host.root / "venv") in error
    assert host.calls == []
    assert [path.name for path in (host.root / "venv").iterdir()] == ["mine.txt"]


def test_without_requirements_nothing_is_required(host: Host) -> None:
    """The environment is made, with a new pip and no more."""
    (host.program / "requirements.txt").unlink()
    with host.serving():
        host.install(virtualenv="venv")
    assert [call.args for call in host.calls] == [f"-m venv {host.root / 'venv'}", UPGRADE]


def test_without_an_environment_the_machines_python_is_used(host: Host) -> None:
    """An update installs nothing; pulumi install installs into it."""
    with host.serving():
        host.prepare()
        assert host.calls == []
        host.install()
    assert [(call.python, call.directory, call.args) for call in host.calls] == [
        (str(host.python), str(host.program), UPGRADE),
        (str(host.python), str(host.program), REQUIRED),
    ]


@pytest.mark.parametrize("name", ["python3", "python"])
def test_python3_comes_first_on_path(host: Host, tmp_path: Path, name: str) -> None:
    """Without PULUMI_PYTHON_CMD it is python3 that makes the environment, else python."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for made in {name, "python"}:
        (directory / made).write_bytes(host.python.read_bytes())
        (directory / made).chmod(0o755)
    for needed in ("sh", "cp", "mkdir"):
        (directory / needed).symlink_to(f"/bin/{needed}")
    with host.serving(PULUMI_PYTHON_CMD="", PATH=str(directory)):
        host.install(virtualenv="venv")
    assert host.calls[0].python == str(directory / name)


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("-m venv", "creating virtual environment"),
        ("--upgrade", "updating pip"),
        ("-r requ", "installing dependencies"),
    ],
)
def test_what_fails_is_said(host: Host, fails: str, said: str) -> None:
    """An update or an install ends with what failed and its exit status, and goes no further."""
    with host.serving(FAILS=fails):
        with pytest.raises(grpc.RpcError) as caught:
            host.install(virtualenv="venv")
        assert said in str(caught.value)
        assert "exit status 3" in str(caught.value)
        assert fails in host.calls[-1].args


def test_an_option_of_another_kind_is_refused(host: Host) -> None:
    """The virtualenv is a string."""
    with host.serving(), pytest.raises(grpc.RpcError, match="virtualenv option must be a string"):
        host.install(virtualenv=3)


def test_a_file_in_its_place_is_said(host: Host) -> None:
    """An update names it, and installs nothing."""
    (host.root / "venv").touch()
    with host.serving(), pytest.raises(grpc.RpcError, match=r"'virtualenv' option in Pulumi\.yaml is set to"):
        host.prepare(virtualenv="venv")
    assert host.calls == []
