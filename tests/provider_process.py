"""The provider process as the engine runs it, driven over gRPC beside an engine that records what it is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from harness import clean_environment
from pulumi_openfunnel.providers import ProvisionedUserProvider

SDK = tuple(int(part) for part in version("pulumi").split(".")[:2])
FORMATS_ERRORS = (3, 260)
"""The SDK that began to format a verb's errors itself; before it, gRPC shows others' words behind some of its own."""

URN = "urn:pulumi:dev::wire::pulumi-python:dynamic/openfunnel:ProvisionedUser::alice"


class RecordingEngine(engine_pb2_grpc.EngineServicer):
    """The engine's Log service, which keeps what it gets."""

    def __init__(self) -> None:
        self.logs: list[tuple[str, str]] = []

    def Log(self, request: engine_pb2.LogRequest, _context: object) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        self.logs.append((engine_pb2.LogSeverity.Name(request.severity), request.message))
        return empty_pb2.Empty()

    @property
    def warnings(self) -> list[str]:
        return [message for severity, message in self.logs if severity == "WARNING"]


class Provider:
    """A running provider process: one method a verb, plain values in and out.

    Attributes:
        secret: which properties the last answer held in the engine's envelope for secrets.
    """

    def __init__(self, engine: RecordingEngine, engine_server: grpc.Server, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._provider = serialize_provider(ProvisionedUserProvider())
        self.secret: set[str] = set()
        self.engine = engine
        self.engine_server = engine_server
        self.process = process

    def configure(self, **config: Any) -> None:
        values = {f"openfunnel:{key}": value for key, value in config.items()}
        self._stub.Configure(provider_pb2.ConfigureRequest(args=_struct(values)))

    def check(self, news: dict[str, Any], olds: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[Any]]:
        answer = self._stub.Check(
            provider_pb2.CheckRequest(urn=URN, olds=self._props(olds) if olds else None, news=self._props(news))
        )
        return self._plain(answer.inputs), [(failure.property, failure.reason) for failure in answer.failures]

    def diff(self, olds: dict[str, Any], news: dict[str, Any]) -> tuple[bool, list[str], bool]:
        answer = self._stub.Diff(
            provider_pb2.DiffRequest(id="1", urn=URN, olds=self._props(olds), news=self._props(news))
        )
        assert answer.changes != provider_pb2.DiffResponse.DIFF_UNKNOWN
        changed = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        return changed, list(answer.replaces), answer.deleteBeforeReplace

    def create(self, inputs: dict[str, Any], provider: str | None = None) -> tuple[str, dict[str, Any]]:
        properties = self._props(inputs, provider)
        answer = self._stub.Create(provider_pb2.CreateRequest(urn=URN, properties=properties))
        return answer.id, self._plain(answer.properties, provider)

    def read(self, id_: str, outs: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = self._stub.Read(provider_pb2.ReadRequest(id=id_, urn=URN, properties=self._props(outs)))
        inputs = self._plain(answer.inputs) if answer.HasField("inputs") else {}
        hidden = self.secret if inputs else set()
        outs = self._plain(answer.properties)
        self.secret |= hidden
        return answer.id, outs, inputs

    def update(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        answer = self._stub.Update(
            provider_pb2.UpdateRequest(id="1", urn=URN, olds=self._props(olds), news=self._props(news))
        )
        return self._plain(answer.properties)

    def delete(self, id_: str, outs: dict[str, Any]) -> None:
        self._stub.Delete(provider_pb2.DeleteRequest(id=id_, urn=URN, properties=self._props(outs)))

    def cancel(self) -> None:
        self._stub.Cancel(empty_pb2.Empty(), timeout=5)

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _props(self, values: dict[str, Any], provider: str | None = None) -> struct_pb2.Struct:
        return _struct(values | {"__provider": provider or self._provider})

    def _plain(self, struct: struct_pb2.Struct, provider: str | None = None) -> dict[str, Any]:
        values: dict[str, Any] = MessageToDict(struct)
        assert values.pop("__provider") == (provider or self._provider)
        self.secret = {name for name, value in values.items() if _is_secret(value)}
        return {name: value["value"] if name in self.secret else value for name, value in values.items()}


def said(failure: grpc.RpcError) -> str:
    """What the engine is told of a verb that failed."""
    return str(failure.details())


def _is_secret(value: object) -> bool:
    """Whether it stands in the envelope: sdk/go/common/resource/properties.go of pulumi/pulumi."""
    signature = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
    return isinstance(value, dict) and value.get(signature[0]) == signature[1]


def _struct(values: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update({name: value for name, value in values.items() if value is not None})
    return struct


Start = Callable[..., Provider]


@contextmanager
def starter(ledger: Path) -> Iterator[Start]:
    """Starts provider processes, which end with the context; keyword arguments become their environment."""
    with ExitStack() as stack:

        def start_one(kind: type[Provider] = Provider, **environment: str) -> Provider:
            engine = RecordingEngine()
            server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
            engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(lambda: server.stop(None).wait())
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "pulumi.dynamic", f"127.0.0.1:{port}"],
                env=clean_environment() | {"OPENFUNNEL_LEDGER": str(ledger)} | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            running = kind(engine, server, process)
            stack.callback(running.close)
            return running

        yield start_one
