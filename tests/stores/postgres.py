"""A PostgreSQL server, and PgBouncer before it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from . import certificates
from .programs import STARTS, Running, program, start, stop

ADMIN = "admin"
PASSWORD = "pass-word/of:admin"
DATABASE = "postgres"
QUOTED = "pass-word%2Fof%3Aadmin"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",  # nobody pulls the plug here
    "ssl": "on",
}


class PostgresServer:
    """PostgreSQL on a loopback port, as an unprivileged user, in a directory of its own.

    Args:
        primary: the server that this one follows, as a read replica.

    Attributes:
        port: where it listens; the same after a restart.
        certificates: of its TLS.
    """

    def __init__(self, primary: PostgresServer | None = None) -> None:
        self._user = unprivileged()
        self._home = Path(tempfile.mkdtemp(prefix="pulumi-openfunnel-pg-", dir="/tmp"))
        _give(self._home, self._user)
        self.certificates = certificates.made(self._home)
        _give(self.certificates.key, self._user)
        if primary is None:
            self._initialize()
        else:
            self._copy(primary)
        self._running = self._start(None)

    @property
    def port(self) -> int:
        return self._running.port

    def url(self, user: str, *, port: int | None = None, password: str = QUOTED) -> str:
        return f"postgres://{user}:{password}@127.0.0.1:{port or self.port}/{DATABASE}"

    def user(self) -> str:
        """A new user with a schema of its own, which is quicker than a database."""
        name = f"user_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'", f"CREATE SCHEMA AUTHORIZATION {name}")
        return name

    def run(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; the last one's rows."""
        rows: list[Any] = []
        with psycopg.connect(self.url(ADMIN), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def stop(self) -> None:
        """End it at once, as a server does that fails over."""
        stop(self._running.process, signal=signal.SIGQUIT)

    def start(self) -> None:
        """Start it again, at the same port."""
        self._running = self._start(self.port)

    def freeze(self) -> None:
        """Stop all its processes, connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _signal(self, number: int) -> None:
        """To the server and the processes that serve its connections."""
        children = Path(f"/proc/{self._running.process.pid}/task/{self._running.process.pid}/children")
        for pid in [self._running.process.pid, *map(int, children.read_text().split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _initialize(self) -> None:
        secret = self._home / "password"
        secret.write_text(PASSWORD)
        _give(secret, self._user)
        options = ["--no-sync", "--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={secret}", "--no-locale"]
        self._do("initdb", f"--pgdata={self._home / 'data'}", "--encoding=UTF8", *options)

    def _copy(self, primary: PostgresServer) -> None:
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", f"--dbname={primary.url(ADMIN)}"]
        self._do("pg_basebackup", f"--pgdata={self._home / 'data'}", *options)

    def _do(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        command = [program("postgresql", name), *arguments]
        done = subprocess.run(command, user=self._user, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _start(self, port: int | None) -> Running:
        tls = {"ssl_cert_file": str(self.certificates.certificate), "ssl_key_file": str(self.certificates.key)}
        settings = [part for name, value in {**_SETTINGS, **tls}.items() for part in ("-c", f"{name}={value}")]
        data = str(self._home / "data")
        running = start(
            lambda chosen: [program("postgresql", "postgres"), "-D", data, "-p", str(chosen), *settings],
            self._home / "log",
            port=port,
            user=self._user,
        )
        _until_it_serves(self.url(ADMIN, port=running.port))
        return running


@contextlib.contextmanager
def pooler(server: PostgresServer, client: str) -> Iterator[int]:
    """PgBouncer before a server, with transaction pooling, for a user of it: the port."""
    home = Path(tempfile.mkdtemp(prefix="pulumi-openfunnel-pgb-", dir="/tmp"))
    user = unprivileged()
    (home / "users").write_text(f'"{client}" "{PASSWORD}"\n')

    def command(port: int) -> list[str]:
        config = home / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {home / 'users'}\n"
            "pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\nserver_login_retry = 1\n"
        )
        for file in (home, home / "users", config):
            _give(file, user)
        return [program("postgresql", "pgbouncer"), "-q", str(config)]

    running = start(command, home / "log", user=user)
    try:
        yield running.port
    finally:
        stop(running.process)
        shutil.rmtree(home, ignore_errors=True)


def _until_it_serves(url: str) -> None:
    """It listens before it has read its log."""
    ends = time.monotonic() + STARTS
    while time.monotonic() < ends:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.05)
    raise AssertionError("PostgreSQL does not come to serve")


def unprivileged() -> str | None:
    """A user that a server may run as; None where nobody is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
