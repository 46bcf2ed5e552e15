"""The seam between the ledger's rules and the place where its documents lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Document:
    """One document as it was read.

    Attributes:
        body: what was written; not shown by ``repr``.
        version: what a write over it has to name. Never given twice to one name, not even for the same body.
        written: when it was written, in seconds, by the store's own clock.
    """

    body: bytes = field(repr=False)
    version: str
    written: float


class Conflict(Exception):
    """The document is not as the writer believed: there is one already, another version of it, or none any more.

    A write whose reply was lost may look like one, so whoever gets it reads again before it is believed.
    """


def fresh_ids() -> Callable[[], str]:
    """What makes ids that nobody else makes: 128 random bits each, as hexadecimal digits.

    Seeded by the system once, where ``uuid4`` asks it each time: a thread that makes a system call lets the others in.
    """
    draw = random.Random().getrandbits  # noqa: S311 - not for secrets
    return lambda: f"{draw(128):032x}"


class Store(Protocol):
    """Documents by name. Safe to share between threads.

    Names are ASCII with slashes, such as ``users/0f3a…``. A write that returned is durable. Every method raises
    LedgerUnusable, in one line, when the place cannot be read or written; what may pass is tried again before.

    Attributes:
        place: the place as messages name it; never with a password.
    """

    place: str

    def get(self, name: str) -> Document | None:
        """The document of that name; None when there is none. Never an older one than a write that returned."""

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        """Those of the documents that are there, many at once."""

    def put_new(self, name: str, body: bytes) -> str:
        """Write a document where there is none; its version.

        Raises:
            Conflict: when there is one.
        """

    def put_over(self, name: str, body: bytes, version: str) -> str:
        """Write a document over the version that was read; its new version.

        Raises:
            Conflict: when it has another version, or is gone.
        """

    def remove(self, name: str) -> None:
        """Remove a document for good, if it is there."""

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, in no order; what was written or removed a moment ago may be missing or be there."""

    def close(self) -> None:
        """Let go of connections and files."""
