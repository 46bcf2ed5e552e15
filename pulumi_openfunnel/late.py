"""How a program fails at its end: after everything that did not fail was registered, and never by hanging."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn
from weakref import WeakSet

import pulumi

from .frames import current_frames

_LOOK = 0.05  # seconds between two looks at the program's tasks
_STILL = 5  # looks without a change, after which nothing more will come

_waiting: WeakSet[asyncio.Task[Any]] = WeakSet()


async def fail(lines: list[str]) -> NoReturn:
    """Raise once the rest of the program has come to rest.

    An apply that raises at once ends the program before resources that wait for other outputs are registered. And
    what waits for this very failure never ends, so rest means that no task moves and no call to the engine runs.

    Args:
        lines: all that failed in the program, also what is added while this waits.

    Raises:
        pulumi.RunError: always.
    """
    task = asyncio.current_task()
    if task is not None:
        _waiting.add(task)
    still, before = 0, None
    while still < _STILL:
        await asyncio.sleep(_LOOK)
        now = _positions()
        still = still + 1 if now == before and not _engine_calls() else 0
        before = now
    raise pulumi.RunError("\n".join(lines))


def _positions() -> set[tuple[int, ...]]:
    """Where each task of the program stands, those apart that wait here."""
    return {_position(task) for task in asyncio.all_tasks() if task not in _waiting}


def _position(task: asyncio.Task[Any]) -> tuple[int, ...]:
    stands = [id(task)]
    at: Any = task.get_coro()
    while at is not None and hasattr(at, "cr_frame"):
        stands.append(at.cr_frame.f_lasti if at.cr_frame is not None else -1)
        at = at.cr_await
    return tuple(stands)


def _engine_calls() -> bool:
    """Whether a thread of the loop's executor is at work: every call to the engine is made by one."""
    executor = getattr(asyncio.get_running_loop(), "_default_executor", None)
    frames = current_frames()
    threads = getattr(executor, "_threads", ())
    return any(thread.ident in frames and frames[thread.ident].f_code.co_name != "_worker" for thread in threads)
