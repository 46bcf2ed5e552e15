"""What leans on internals of ``pulumi.dynamic.__main__``, each part guarded and with a test that notices when it changes.

Where one does not fit, errors are shown as tracebacks, or a cancel is not heard, and nothing else changes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import stat
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType
from typing import Any

from grpc import StatusCode

from ..errors import OpenFunnelError
from ..frames import current_frames

_WORKERS = 256  # verbs at once; the engine's --parallel is what limits them


def fit() -> bool:
    """Let our errors be one line and a cancel be heard. To be called from ``configure``.

    Returns:
        Whether this is a provider process whose engine can be seen to end.
    """
    main = sys.modules["__main__"]
    if not hasattr(main, "DynamicResourceProviderServicer"):
        return False
    if getattr(main, "traceback", None) is traceback:
        main.traceback = _OneLineErrors()  # type: ignore[attr-defined]
    _hear_cancel(main)
    if not stdin_is_the_engines():
        return False
    _leave_sigterm_to_the_engine()
    return True


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


def errors_are_formatted() -> bool:
    """Whether the main module formats errors itself: from SDK 3.260 on, and where there is no provider process."""
    main = sys.modules["__main__"]
    return hasattr(main, "traceback") or not hasattr(main, "DynamicResourceProviderServicer")


class Aborting:
    """Verbs that end their call with our error themselves.

    Where the main module does not, gRPC would show "Exception calling application: " before it.

    Args:
        verbs: the verbs.
    """

    def __init__(self, verbs: object) -> None:
        self._verbs = verbs

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._verbs, name)

        def aborting(*args: Any) -> Any:
            try:
                return verb(*args)
            except OpenFunnelError as error:
                context = _context_of_call()
                if context is None:
                    raise
                reason = str(error)
            return context.abort(StatusCode.UNKNOWN, reason)

        return aborting


def _context_of_call() -> Any:
    """What gRPC gave the servicer's method that runs this, found from its frame."""
    frame = sys._getframe()  # noqa: SLF001 - documented, for such use
    while frame.f_back is not None:
        frame = frame.f_back
        context = frame.f_locals.get("context")
        if frame.f_globals is vars(sys.modules["__main__"]) and hasattr(context, "abort"):
            return context
    return None


def _hear_cancel(main: ModuleType) -> None:
    """Stop when the engine says so, at the first Ctrl-C.

    The servicer's Cancel does nothing, and it waits behind the verbs that run; its method is registered already, so
    it gets another body, and the pool that it waits for gets more workers.
    """

    def cancel(self: Any, request: Any, context: Any) -> Any:  # noqa: ARG001 - Cancel's own
        from google.protobuf.empty_pb2 import Empty

        from pulumi_openfunnel.dynamic.process import PROCESS  # it runs as the servicer's, with its globals

        PROCESS.stop()
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


def _leave_sigterm_to_the_engine() -> None:
    """Do not end in the middle of a request when a job is cancelled by SIGTERM to each of its processes.

    The engine gets one, too, and cancels in order, or it is gone and hangs up. In Python a signal's disposition is the main
    thread's to change, and that one waits for ever; for the C library it is the process's.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        libc.signal(signal.SIGTERM, int(signal.SIG_IGN))


def stdin_is_the_engines() -> bool:
    """Whether our stdin is the pipe that the engine holds the other end of."""
    return os.name == "posix" and stat.S_ISFIFO(os.fstat(0).st_mode)


def hung_up(timeout: int | None) -> bool:
    """Whether the engine has hung up that pipe, after so many milliseconds at most; None waits for it."""
    poll = select.poll()
    poll.register(0, 0)  # only the hang-up, which is always reported
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(timeout))


def a_verb_runs() -> bool:
    """Whether any thread is inside a verb, of ours or of another dynamic provider: a frame of the main module
    below the thread's own start."""
    main, ident = sys.modules["__main__"], threading.main_thread().ident
    for thread, frame in current_frames().items():
        at = frame if thread != ident else None
        while at is not None:
            if at.f_globals is vars(main):
                return True
            at = at.f_back
    return False
