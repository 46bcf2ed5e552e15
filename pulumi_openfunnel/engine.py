"""What is said to the Pulumi engine, and the provider process's life beside it.

A dynamic provider runs inside ``python -m pulumi.dynamic``, a process that it shares with every other dynamic
provider of the program and that gives it no way to warn, to fail in one line, or to end. What that takes is
gathered here. It leans on internals of ``pulumi.dynamic.__main__``: where they do not fit, errors are shown
as tracebacks and nothing else changes.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import threading
import time
import traceback
from types import ModuleType
from typing import Any

from .errors import OpenFunnelError

_LOOK_AGAIN = 0.2  # seconds between two looks for verbs that still run
_LOG_TIMEOUT = 5.0  # seconds for one message to the engine

_logger = logging.getLogger("pulumi_openfunnel")
_attached = threading.Lock()
_said: set[str] = set()


def attach() -> None:
    """Fit this process for our resources: errors in one line, and an end when the engine ends.

    Called from ``configure``, once a process; does nothing outside ``python -m pulumi.dynamic``.
    """
    main = sys.modules["__main__"]
    if not hasattr(main, "DynamicResourceProviderServicer") or not _attached.acquire(blocking=False):
        return
    if getattr(main, "traceback", None) is traceback:
        main.traceback = _OneLineErrors()  # type: ignore[attr-defined]
    if os.name == "posix" and stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_engine, args=(main,), name="end-with-engine", daemon=True).start()


def warn(message: str) -> None:
    """Show a warning, one line that names the user it is about, the first time that this process says it."""
    if message not in _said:
        _said.add(message)
        _log("WARNING", message)


def info(message: str) -> None:
    """Show a line that asks for nothing."""
    _log("INFO", message)


class _OneLineErrors:
    """Stands in for ``traceback`` in the provider process's main module.

    That formats every exception of every dynamic provider with ``traceback.format_exc()``. Ours are messages
    to the user; anything else, another provider's above all, keeps its whole traceback.
    """

    def format_exc(self, *args: Any, **kwargs: Any) -> str:
        error = sys.exc_info()[1]
        if isinstance(error, OpenFunnelError):
            return str(error)
        return traceback.format_exc(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)


def _end_with_engine(main: ModuleType) -> None:
    """Wait until the engine hangs up the pipe that is our stdin, and then until no verb runs; then end."""
    poll = select.poll()
    poll.register(0, 0)  # only the hang-up, which is always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        pass
    while _a_verb_runs(main):
        time.sleep(_LOOK_AGAIN)
    os._exit(0)


def _a_verb_runs(main: ModuleType) -> bool:
    """Whether any thread is inside a verb, of ours or of another dynamic provider: a frame of the main module
    below the thread's own start."""
    ident = threading.main_thread().ident
    for thread, frame in sys._current_frames().items():  # noqa: SLF001 - documented, for such use
        at = frame if thread != ident else None
        while at is not None:
            if at.f_globals is vars(main):
                return True
            at = at.f_back
    return False


def _log(severity: str, message: str) -> None:
    """Hand one message to the engine, whose address is the provider process's last argument."""
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    request = engine_pb2.LogRequest(severity=engine_pb2.LogSeverity.Value(severity), message=message)
    try:
        with grpc.insecure_channel(sys.argv[-1], options=[("grpc.enable_http_proxy", 0)]) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_LOG_TIMEOUT)
    except (grpc.RpcError, ValueError) as error:
        # No engine to tell: what it shows of our output is the last way to the user.
        _logger.debug("the engine took no message: %s", type(error).__name__)
        print(f"{severity.lower()}: {message}", file=sys.stderr, flush=True)  # noqa: T201
