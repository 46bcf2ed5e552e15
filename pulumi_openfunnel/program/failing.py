"""How a program fails at its end: after everything that did not fail was registered, and never by hanging.

The SDK has no way to wait for the rest of a program. What is looked at instead are its tasks and the threads that call the
engine, which are internals of asyncio and of the SDK: each look is guarded and has a test that notices when it goes blind.
"""

from __future__ import annotations

import asyncio
from types import FrameType
from typing import Any, NoReturn

import pulumi

from ..frames import current_frames
from .claims import Program

_LOOK = 0.05  # seconds between two looks at the program's tasks
_STILL = 5  # looks without a change, after which nothing more will come
_STILL_ASLEEP = 600  # the same, when something of the program waits for a time to come


async def fail(program: Program) -> NoReturn:
    """Raise once the rest of the program has come to rest.

    An apply that raises at once ends the program before resources that wait for other outputs are registered. And
    what waits for this very failure never ends, so rest means that no task moves and no call to the engine runs: for a
    moment, or for half a minute where a task sleeps (one that sleeps again and again is not waited for longer).

    Args:
        program: the one that runs; its failures are shown, also those that are added while this waits.

    Raises:
        pulumi.RunError: unless the program itself raised something, which is raised again after the lines were shown:
            Pulumi shows one exception only.
    """
    _mark_as_failing(program)
    if program.rest is None or program.rest.done():
        program.rest = asyncio.ensure_future(_rest(program))
    await asyncio.shield(program.rest)
    own, lines = programs_exception(), program.failures
    if own is None:
        raise pulumi.RunError("\n".join(lines))
    if lines:
        pulumi.log.error("\n".join(lines))
        lines.clear()  # several may wait here
    raise own


async def _rest(program: Program) -> None:
    """Wait until the rest of the program has come to rest."""
    _mark_as_failing(program)
    still, before = 0, None
    while still < (_STILL_ASLEEP if _something_sleeps() else _STILL):
        await asyncio.sleep(_LOOK)
        now = {_position(task) for task in asyncio.all_tasks() if task not in program.failing}
        still = still + 1 if now == before and not engine_is_called() else 0
        before = now


def _mark_as_failing(program: Program) -> None:
    task = asyncio.current_task()
    if task is not None:
        program.failing.add(task)


def _something_sleeps() -> bool:
    """Whether the loop holds a timer; the one of :func:`_rest` is not set while that looks."""
    return not all(timer.cancelled() for timer in getattr(asyncio.get_running_loop(), "_scheduled", ()))


def programs_exception() -> BaseException | None:
    """What the program's own code raised: Pulumi's SDK holds it until all outputs have come to their end."""
    for task in asyncio.all_tasks():
        for frame in _frames(task):
            raised = frame.f_locals.get("ex") if frame.f_code.co_name == "run_pulumi_func" else None
            if isinstance(raised, BaseException):
                return raised
    return None


def _position(task: asyncio.Task[Any]) -> tuple[int, ...]:
    """Where a task of the program stands."""
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


def engine_is_called() -> bool:
    """Whether a thread of the loop's executor is at work: every call to the engine is made by one."""
    executor = getattr(asyncio.get_running_loop(), "_default_executor", None)
    frames = current_frames()
    threads = getattr(executor, "_threads", ())
    return any(thread.ident in frames and frames[thread.ident].f_code.co_name != "_worker" for thread in threads)
