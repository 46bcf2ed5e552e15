"""What is said to the engine: warnings, lines of information, progress."""

from __future__ import annotations

import logging
import sys
import threading
import time

from ..operation import line

_TIMEOUT = 5.0  # seconds for one message
_PROGRESS = 15.0  # seconds between two lines of progress

_logger = logging.getLogger("pulumi_openfunnel")


class Log:
    """The engine's log, as a provider process may use it. Safe to share between threads.

    Args:
        address: the engine's, host and port.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._said: set[str] = set()
        self._showing = threading.Lock()
        self._next_progress = 0.0

    def warn(self, who: str | None, text: str, detail: str | None = None) -> None:
        """Show a warning, the first time that this process says it; see :class:`operation.Say`."""
        message = line(who, text, detail)
        with self._showing:
            new = message not in self._said
            self._said.add(message)
        if new:
            self._send("WARNING", message)

    def info(self, who: str | None, text: str, detail: str | None = None) -> None:
        """Show a line that asks for nothing."""
        self._send("INFO", line(who, text, detail))

    def progress(self, message: str) -> None:
        """Show a line that is of interest for the moment: at most one in 15 s, because a log keeps them all."""
        with self._showing:
            now = time.monotonic()
            if now < self._next_progress:
                return
            self._next_progress = now + _PROGRESS
        self._send("INFO", message, ephemeral=True)

    def _send(self, severity: str, message: str, *, ephemeral: bool = False) -> None:
        import grpc
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity), message=message, ephemeral=ephemeral
        )
        try:
            with grpc.insecure_channel(self._address, options=[("grpc.enable_http_proxy", 0)]) as channel:
                engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_TIMEOUT)
        except (grpc.RpcError, ValueError) as error:
            # No engine to tell: what it shows of our output is the last way to the user.
            _logger.debug("the engine took no message: %s", type(error).__name__)
            print(f"{severity.lower()}: {message}", file=sys.stderr, flush=True)  # noqa: T201
