"""Places, and how to look at what their stores do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.store import Conflict, Document, Store
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import parse

ENDS = 60.0  # seconds within which whatever is to end ends, on a busy machine
PATIENCE = 40.0  # seconds of trying, where a test wants it to go well
IMPATIENCE = 2.0  # where it wants it to fail

T = TypeVar("T")


class Where(Protocol):
    """A place for documents that is empty at first."""

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """A store there, of its own."""


class Url:
    """A place that a URL names.

    Args:
        url: as the setting takes it.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """See :class:`Where`."""
        place = parse(self.url)
        assert place is not None
        return store_at(place, create=create, patience=patience)


def together(actions: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What actions give, or raise, that begin at the same moment."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | Exception:
        start.wait(ENDS)
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def believed(write: Callable[[], str], look: Callable[[], Document | None], body: bytes) -> str:
    """A write whose conflict is believed only after a read: a reply that was lost looks like one."""
    try:
        return write()
    except Conflict:
        found = look()
        if found is None or found.body != body:
            raise
        return found.version


def check_line(error: LedgerUnusable, url: str) -> None:
    """An error is one line of ours, and nothing of a library's is behind it."""
    check_words(error, url)
    assert error.__context__ is None
    assert error.__cause__ is None


def check_words(error: LedgerUnusable, url: str) -> None:
    """An error is one line: the place, what is wrong, what to do, and no secret."""
    message = str(error)
    assert message.isprintable()
    assert message.startswith(f"The ledger {parse(url)} {error.problem}. {error.way_out}")
    assert message.endswith(".")
    assert len(message) < 400
    for hidden in ("Debug source", "Signature=", "x-amz-date", "<", "Traceback", "&endpoint", "pass-word"):
        assert hidden not in message
