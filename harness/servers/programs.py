"""Servers as processes: got once, started on a free loopback port, ended with the test."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALL = Path(__file__).parents[2] / "tools" / "servers" / "install"
STARTS = 120.0  # seconds, at most; machines that run tests are busy
TRIES = 3
"""Starts, since somebody else may take the port in the moment between."""


class Unavailable(Exception):
    """A server that cannot be had, or that does not start."""


@functools.cache
def path_of(server: str) -> str:
    """What to put on PATH for a server's programs, which are installed when they are missing."""
    done = subprocess.run([INSTALL, server], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{INSTALL} {server} says above why there is none")
    return done.stdout.splitlines()[-1]


def program(server: str, name: str) -> str:
    """The path of one of a server's programs."""
    found = shutil.which(name, path=path_of(server))
    if found is None:
        raise Unavailable(f"{name} is not in {path_of(server)}")
    return found


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody takes connections at a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        port: where it listens, on 127.0.0.1.
        process: the server's.
    """

    port: int
    process: subprocess.Popen[bytes]


def start(
    command: Callable[[int], Sequence[str]],
    log: Path,
    *,
    port: int | None = None,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Running:
    """Start a server and wait until it listens.

    Args:
        command: for a port.
        log: the file for what it says.
        port: the only port to take; else a free one.
        user: to run it as.
        env: its environment.
    """
    for _ in range(TRIES if port is None else 1):
        chosen = port if port is not None else free_port()
        with log.open("ab") as said:
            process = subprocess.Popen(
                command(chosen), stdin=subprocess.DEVNULL, stdout=said, stderr=said, user=user, env=env, cwd="/"
            )
        ends = time.monotonic() + STARTS
        while process.poll() is None and time.monotonic() < ends:
            if listens(chosen):
                return Running(chosen, process)
            time.sleep(0.02)
        stop(process)
    raise Unavailable(f"{command(0)[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes], *, signal: int | None = None) -> None:
    """End a server, by force if it takes long."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate() if signal is None else process.send_signal(signal)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A server whose process listens on a loopback port.

    Args:
        home: a directory for its files.

    Attributes:
        port: where it listens; the same after a restart.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running = start(self._command, home / "log")

    @property
    def port(self) -> int:
        return self._running.port

    def stop(self) -> None:
        stop(self._running.process)

    def start(self) -> None:
        """Start it again, at the same port."""
        self._running = start(self._command, self._home / "log", port=self.port)

    close = stop

    def _command(self, port: int) -> list[str]:
        raise NotImplementedError


@contextlib.contextmanager
def running(command: Callable[[int], Sequence[str]], log: Path) -> Iterator[Running]:
    """A server for as long as the block takes."""
    server = start(command, log)
    try:
        yield server
    finally:
        stop(server.process)


def without_proxies() -> dict[str, str]:
    """The environment for what talks on loopback alone."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
