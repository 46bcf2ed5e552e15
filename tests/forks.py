"""``python -m pulumi_openfunnel`` as a process that starts at once: forked from one that has imported the package."""

from __future__ import annotations

import multiprocessing
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pulumi_openfunnel.__main__ import main

_PATIENCE = 120.0  # seconds
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def run(
    args: Sequence[str], environment: Mapping[str, str], *, stdin: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end.

    Args:
        args: those behind ``python -m pulumi_openfunnel``.
        environment: all that it gets.
        stdin: what it reads.
        cwd: where it runs.

    Raises:
        subprocess.TimeoutExpired: when it does not end.
    """
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory) / name for name in ("stdin", "stdout", "stderr")]
        for file, text in zip(files, (stdin, "", ""), strict=True):
            file.write_text(text)
        process = _CONTEXT.Process(target=_command, args=(list(args), dict(environment), cwd or Path.cwd(), files))
        process.start()
        process.join(_PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(args), _PATIENCE)
        return subprocess.CompletedProcess(args, process.exitcode, files[1].read_text(), files[2].read_text())


def _command(args: list[str], environment: dict[str, str], cwd: Path, files: list[Path]) -> None:
    """What the forked process does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if "PYTHONPATH" in environment:  # what Python does at its start
        sys.path.insert(0, environment["PYTHONPATH"])
        sys.modules.pop("sitecustomize", None)
        site.execsitecustomize()
    for number, file in enumerate(files):
        opened = os.open(file, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115 - for good
    sys.exit(main(args))
