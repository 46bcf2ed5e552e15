"""Programs under mocks, each in a context of its own: what Pulumi's SDK keeps of one is gone with it."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor

Program = Callable[[], Awaitable[Any]]


def under(
    mocks: pulumi.runtime.Mocks, *programs: Program, config: Mapping[str, str] | None = None, preview: bool = False
) -> list[Any]:
    """Run programs, one after the other under one ``set_mocks``, each as a test of its own.

    Args:
        mocks: what their resources get.
        programs: each declares resources and looks at them.
        config: the stack's.
        preview: whether it is a preview.

    Returns:
        What each returned.
    """

    def run() -> list[Any]:
        pulumi.runtime.set_mocks(mocks, preview=preview, monitor=MockMonitor(mocks))
        pulumi.runtime.set_all_config(dict(config or {}))
        return [_tested(program) for program in programs]

    return contextvars.copy_context().run(run)


def _tested(program: Program) -> Any:
    found: list[Any] = []

    async def look() -> None:
        found.append(await program())

    tested: Any = pulumi.runtime.test  # without types
    tested(look)()
    return found[0]
