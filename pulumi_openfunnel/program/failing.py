"""How a program fails at its end: after everything that did not fail was registered, and never by hanging."""

from __future__ import annotations

import asyncio
from types import FrameType
from typing import Any, NoReturn
from weakref import WeakSet

import pulumi

from ..frames import current_frames

_LOOK = 0.05  # seconds between two looks at the program's tasks
_STILL = 5  # looks without a change, after which nothing more will come
_STILL_ASLEEP = 600  # the same, when something of the program waits for a time to come

_waiting: WeakSet[asyncio.Task[Any]] = WeakSet()
_rests: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}  # one a program, for all that wait


async def fail(lines: list[str]) -> NoReturn:
    """Raise once the rest of the program has come to rest.

    An apply that raises at once ends the program before resources that wait for other outputs are registered. And
    what waits for this very failure never ends, so rest means that no task moves and no call to the engine runs: for a
    moment, or for half a minute where a task sleeps (one that sleeps again and again is not waited for longer).

    Args:
        lines: all that failed in the program, also what is added while this waits.

    Raises:
        pulumi.RunError: unless the program itself raised something, which is raised again after the lines were shown:
            Pulumi shows one exception only.
    """
    _mark_as_waiting()
    loop = asyncio.get_running_loop()
    if loop not in _rests:
        _rests[loop] = asyncio.ensure_future(_rest())
        _rests[loop].add_done_callback(lambda _: _rests.pop(loop, None))
    await asyncio.shield(_rests[loop])
    own = _programs_exception()
    if own is None:
        raise pulumi.RunError("\n".join(lines))
    if lines:
        pulumi.log.error("\n".join(lines))
        lines.clear()  # several may wait here
    raise own


async def _rest() -> None:
    """Wait until the rest of the program has come to rest."""
    _mark_as_waiting()
    still, before = 0, None
    while still < (_STILL_ASLEEP if _something_sleeps() else _STILL):
        await asyncio.sleep(_LOOK)
        now = _positions()
        still = still + 1 if now == before and not _engine_calls() else 0
        before = now


def _mark_as_waiting() -> None:
    task = asyncio.current_task()
    if task is not None:
        _waiting.add(task)


def _something_sleeps() -> bool:
    """Whether the loop holds a timer; the one of :func:`_rest` is not set while that looks."""
    return not all(timer.cancelled() for timer in getattr(asyncio.get_running_loop(), "_scheduled", ()))


def _programs_exception() -> BaseException | None:
    """What the program's own code raised: Pulumi's SDK holds it until all outputs have come to their end."""
    for task in asyncio.all_tasks():
        for frame in _frames(task):
            raised = frame.f_locals.get("ex") if frame.f_code.co_name == "run_pulumi_func" else None
            if isinstance(raised, BaseException):
                return raised
    return None


def _positions() -> set[tuple[int, ...]]:
    """Where each task of the program stands, those apart that wait here."""
    return {_position(task) for task in asyncio.all_tasks() if task not in _waiting}


def _position(task: asyncio.Task[Any]) -> tuple[int, ...]:
    return (id(task), *(frame.f_lasti for frame in _frames(task)))


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Of a task's coroutines, the outermost first."""
    found: list[FrameType] = []
    at: Any = task.get_coro()
    while at is not None and hasattr(at, "cr_frame"):
        if at.cr_frame is not None:
            found.append(at.cr_frame)
        at = at.cr_await
    return found


def _engine_calls() -> bool:
    """Whether a thread of the loop's executor is at work: every call to the engine is made by one."""
    executor = getattr(asyncio.get_running_loop(), "_default_executor", None)
    frames = current_frames()
    threads = getattr(executor, "_threads", ())
    return any(thread.ident in frames and frames[thread.ident].f_code.co_name != "_worker" for thread in threads)
