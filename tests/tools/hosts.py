"""A Python language host that is driven over gRPC as the engine does it, with a Python that only writes down its calls."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, language_pb2, language_pb2_grpc

# It makes a virtual environment of itself, and says what it was called for.
PYTHON = """#!/bin/sh
case "$*" in
"-m pip list"*) echo '[]'; exit;;
"-m venv "*|"-m pip install "*) echo "$0|$PWD|${VIRTUAL_ENV-}|${PYTHONHOME-}|${PATH%%:*}|$*" >> "$CALLS";;
*) echo 'Python 3.12.0'; exit;;
esac
echo "python $*"
echo "warning of $*" >&2
test -z "$FAILS" || case "$*" in *"$FAILS"*) exit 3;; esac
case "$*" in "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python";; esac
"""


class RecordingEngine(engine_pb2_grpc.EngineServicer):
    """The engine's Log service, which keeps what it gets."""

    def __init__(self) -> None:
        self.logs: list[engine_pb2.LogRequest] = []

    def Log(self, request: engine_pb2.LogRequest, _context: object) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        self.logs.append(request)
        return empty_pb2.Empty()


@dataclass(frozen=True)
class Call:
    """One call of the Python: itself, where, and with which environment."""

    python: str
    directory: str
    virtual_env: str
    python_home: str
    first_on_path: str
    args: str


class Host:
    """A running language host, for a project whose program is not where its Pulumi.yaml is.

    Attributes:
        root: where Pulumi.yaml would be.
        program: where the program is.
        python: what PULUMI_PYTHON_CMD names.
        engine: what the host tells.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.program = self.root / "program"
        self.program.mkdir(parents=True)
        (self.program / "requirements.txt").write_text("../..\n")
        self.python = directory / "machines-python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        self.engine = RecordingEngine()
        self._log = directory / "calls"
        self._directory = directory

    @property
    def calls(self) -> list[Call]:
        """The calls of the Python so far."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [Call(*line.split("|")) for line in lines]

    @contextlib.contextmanager
    def serving(self, **environment: str) -> Iterator[None]:
        """Run the host that is on PATH."""
        binary = shutil.which("pulumi-language-python")
        assert binary, "pulumi-language-python is not on PATH. Run: make test"
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        ours = {"PULUMI_PYTHON_CMD": str(self.python), "CALLS": str(self._log), "PYTHONHOME": "/nowhere", "FAILS": ""}
        with subprocess.Popen(
            [binary, f"127.0.0.1:{port}"],
            cwd=self._directory,
            env=os.environ | ours | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                assert process.stdout is not None
                with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                    self._stub = language_pb2_grpc.LanguageRuntimeStub(channel)
                    yield
            finally:
                process.terminate()
                server.stop(None).wait()

    def install(self, **options: Any) -> tuple[str, str]:
        """What ``pulumi install`` asks for: what it prints, and its errors."""
        request = language_pb2.InstallDependenciesRequest(directory=str(self.program), info=self._info(options))
        answers = list(self._stub.InstallDependencies(request))
        out, errors = (b"".join(getattr(answer, name) for answer in answers) for name in ("stdout", "stderr"))
        return out.decode(), errors.decode()

    def prepare(self, **options: Any) -> None:
        """What an update or a preview asks for first."""
        self._stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=self._info(options)))

    def run(self, **options: Any) -> str:
        """Run the program; what went wrong."""
        request = language_pb2.RunRequest(
            project="project", stack="dev", pwd=str(self.program), info=self._info(options)
        )
        try:
            return str(self._stub.Run(request).error)
        except grpc.RpcError as error:
            return str(error)

    def _info(self, options: dict[str, Any]) -> language_pb2.ProgramInfo:
        info = language_pb2.ProgramInfo(
            root_directory=str(self.root), program_directory=str(self.program), entry_point="."
        )
        info.options.update(options)
        return info
