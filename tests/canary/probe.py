"""Another package's dynamic provider, which tells from inside the provider process what can be seen there.

It stands alone, as such a package does: the process imports it by its name, from PYTHONPATH.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from pulumi.dynamic import CreateResult, ResourceProvider

PATIENCE = 20.0  # seconds


def formats(_props: dict[str, Any]) -> str:
    """The class of what the main module formats errors with."""
    found = getattr(sys.modules["__main__"], "traceback", None)
    return "the module" if found is traceback else type(found).__name__


def cancel(_props: dict[str, Any]) -> list[object]:
    """Whether the servicer's Cancel is a plain function, what it closes over, and how many arguments it takes."""
    theirs = sys.modules["__main__"].DynamicResourceProviderServicer.Cancel
    if not isinstance(theirs, FunctionType):
        return [type(theirs).__name__]
    return [list(theirs.__code__.co_freevars), theirs.__code__.co_argcount]


def workers(_props: dict[str, Any]) -> int | None:
    """The size of the pool that runs this verb, as the package finds it."""
    from pulumi_openfunnel.dynamic import internals

    pool = internals._own_pool()
    return None if pool is None else pool._max_workers


def runs(props: dict[str, Any]) -> bool:
    """Whether the package sees that a verb runs, while this one does; its end is written to a file, once it is seen."""
    from pulumi_openfunnel.dynamic import internals

    def look_for_the_end() -> None:
        end = time.monotonic() + PATIENCE
        while internals.a_verb_runs() and time.monotonic() < end:
            time.sleep(0.05)
        Path(props["file"]).write_text("still runs" if internals.a_verb_runs() else "ended")

    seen = internals.a_verb_runs()
    threading.Thread(target=look_for_the_end).start()
    return seen


LOOKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "formats": formats,
    "cancel": cancel,
    "workers": workers,
    "runs": runs,
}


class Probe(ResourceProvider):
    """Its create looks, and its outputs are what it saw."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("probe", {"seen": LOOKS[props["look"]](props)})
