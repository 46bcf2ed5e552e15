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
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType
from typing import Any

from ..errors import OpenFunnelError
from ..frames import current_frames
from ..operation import Operation

_LOOK_AGAIN = 0.2  # seconds between two looks for verbs that still run
_LOG_TIMEOUT = 5.0  # seconds for one message to the engine
_PROGRESS = 15.0  # seconds between two lines of progress
_WORKERS = 256  # verbs at once; the engine's --parallel is what limits them

_logger = logging.getLogger("pulumi_openfunnel")
_attached = threading.Lock()
_said: set[str] = set()
_stopped = threading.Event()
_progress = threading.Lock()
_next_progress = 0.0


def attach() -> None:
    """Fit this process for our resources: errors in one line, and an end when the engine cancels or ends.

    Called from ``configure``, once a process; does nothing outside ``python -m pulumi.dynamic``.
    """
    main = sys.modules["__main__"]
    if not hasattr(main, "DynamicResourceProviderServicer") or not _attached.acquire(blocking=False):
        return
    if getattr(main, "traceback", None) is traceback:
        main.traceback = _OneLineErrors()  # type: ignore[attr-defined]
    _hear_cancel(main)
    if _stdin_is_the_engines():
        threading.Thread(target=_end_with_engine, args=(main,), name="end-with-engine", daemon=True).start()


def warn(message: str) -> None:
    """Show a warning, one line that names the user it is about, the first time that this process says it."""
    if message not in _said:
        _said.add(message)
        _log("WARNING", message)


def info(message: str) -> None:
    """Show a line that asks for nothing."""
    _log("INFO", message)


def progress(message: str) -> None:
    """Show a line that is of interest for the moment: at most one in 15 s, because a log keeps them all."""
    global _next_progress  # noqa: PLW0603 - one engine, one process
    with _progress:
        now = time.monotonic()
        if now < _next_progress:
            return
        _next_progress = now + _PROGRESS
    _log("INFO", message, ephemeral=True)


def stop() -> None:
    """Start no further request."""
    _stopped.set()


def stopping() -> bool:
    """Whether no request is to start any more: the engine has cancelled, or is gone."""
    if not _stopped.is_set() and _stdin_is_the_engines() and _hung_up(0):
        _stopped.set()
    return _stopped.is_set()


OPERATION = Operation(warn=warn, info=info, progress=progress, stopping=stopping, wait=_stopped.wait)
"""The engine's operation, as the use cases see it."""


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


def _hear_cancel(main: ModuleType) -> None:
    """Stop when the engine says so, at the first Ctrl-C.

    The servicer's Cancel does nothing, and it waits behind the verbs that run; its method is registered already, so
    it gets another body, and the pool that it waits for gets more workers.
    """

    def cancel(self: Any, request: Any, context: Any) -> Any:  # noqa: ARG001 - Cancel's own
        from google.protobuf.empty_pb2 import Empty

        from pulumi_openfunnel import engine

        engine.stop()
        return Empty()

    theirs = getattr(main.DynamicResourceProviderServicer, "Cancel", None)
    if isinstance(theirs, FunctionType) and theirs.__code__.co_freevars == ():
        theirs.__code__ = cancel.__code__
    pool = _own_pool()
    if pool is not None:
        pool._max_workers = max(pool._max_workers, _WORKERS)  # noqa: SLF001 - grows as verbs come in


def _own_pool() -> ThreadPoolExecutor | None:
    """The pool whose worker runs this, found from the worker's own frame."""
    frame = sys._getframe()  # noqa: SLF001 - documented, for such use
    while frame.f_back is not None:
        frame = frame.f_back
        reference = frame.f_locals.get("executor_reference")
        pool = reference() if callable(reference) else None
        if isinstance(pool, ThreadPoolExecutor) and hasattr(pool, "_max_workers"):
            return pool
    return None


def _stdin_is_the_engines() -> bool:
    """Whether our stdin is the pipe that the engine holds the other end of."""
    return os.name == "posix" and stat.S_ISFIFO(os.fstat(0).st_mode)


def _hung_up(timeout: int | None) -> bool:
    """Whether the engine has hung up that pipe, after so many milliseconds at most; None waits for it."""
    poll = select.poll()
    poll.register(0, 0)  # only the hang-up, which is always reported
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(timeout))


def _end_with_engine(main: ModuleType) -> None:
    """Wait until the engine is gone, start nothing more, let what runs come to its end; then end."""
    while not _hung_up(None):
        pass
    _stopped.set()
    while _a_verb_runs(main):
        time.sleep(_LOOK_AGAIN)
    os._exit(0)


def _a_verb_runs(main: ModuleType) -> bool:
    """Whether any thread is inside a verb, of ours or of another dynamic provider: a frame of the main module
    below the thread's own start."""
    ident = threading.main_thread().ident
    for thread, frame in current_frames().items():
        at = frame if thread != ident else None
        while at is not None:
            if at.f_globals is vars(main):
                return True
            at = at.f_back
    return False


def _log(severity: str, message: str, *, ephemeral: bool = False) -> None:
    """Hand one message to the engine, whose address is the provider process's last argument."""
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    request = engine_pb2.LogRequest(
        severity=engine_pb2.LogSeverity.Value(severity), message=message, ephemeral=ephemeral
    )
    try:
        with grpc.insecure_channel(sys.argv[-1], options=[("grpc.enable_http_proxy", 0)]) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_LOG_TIMEOUT)
    except (grpc.RpcError, ValueError) as error:
        # No engine to tell: what it shows of our output is the last way to the user.
        _logger.debug("the engine took no message: %s", type(error).__name__)
        print(f"{severity.lower()}: {message}", file=sys.stderr, flush=True)  # noqa: T201
