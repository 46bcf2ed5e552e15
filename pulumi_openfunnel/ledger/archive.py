"""The documents of one store: read, written, and changed so that no other writer's change is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ..errors import LedgerUnusable
from .codec import decode, encode
from .documents import Stored
from .store import Conflict, Store

D = TypeVar("D", bound=Stored)
R = TypeVar("R")

T = TypeVar("T")

_CHUNK = 200  # documents that are read at once
_AT_ONCE = 16  # threads of what changes every document


@dataclass(frozen=True)
class Seen(Generic[D]):
    """A document as it was read or written.

    Attributes:
        document: what it says.
        version: what a write over it has to name.
        written: when it was written, in seconds, by the store's clock; 0.0 of one that was just written.
    """

    document: D
    version: str
    written: float = 0.0


class Archive:
    """Documents in a store. Safe to share between threads.

    Args:
        store: where they lie.
        fresh: makes ids that nobody else makes.

    Attributes:
        place: the ledger, as messages name it.
    """

    def __init__(self, store: Store, fresh: Callable[[], str]) -> None:
        self.store = store
        self.fresh = fresh
        self.place = store.place

    def read(self, kind: type[D], name: str) -> Seen[D] | None:
        """A document; None when there is none."""
        found = self.store.get(name)
        if found is None:
            return None
        return Seen(decode(kind, name, found.body, self.place), found.version, found.written)

    def read_many(self, kind: type[D], names: Iterable[str]) -> dict[str, Seen[D]]:
        """Those of the documents that are there, by name."""
        wanted = list(dict.fromkeys(names))
        found = self.store.get_many(wanted) if wanted else {}
        return {
            name: Seen(decode(kind, name, one.body, self.place), one.version, one.written)
            for name, one in found.items()
        }

    def read_sound(self, kind: type[D], names: Iterable[str]) -> tuple[dict[str, Seen[D]], list[str]]:
        """The same of those that can be read; and one line for each that cannot, so that it hides no other."""
        sound: dict[str, Seen[D]] = {}
        problems = []
        for name, one in self.store.get_many(list(names)).items():
            try:
                sound[name] = Seen(decode(kind, name, one.body, self.place), one.version, one.written)
            except LedgerUnusable as error:
                problems.append(str(error))
        return sound, problems

    def offer(self, document: D, over: str | None) -> tuple[bool, Seen[D] | None]:
        """Write a document, with a fresh nonce, unless another writer was faster.

        A conflict is believed only after a read: a write whose reply was lost looks like one.

        Args:
            document: what to write.
            over: the version that was read; None where there was none.

        Returns:
            Whether it was written, and what lies there now.
        """
        document = replace(document, nonce=self.fresh())
        name, body = document.name, encode(document)
        try:
            version = self.store.put_new(name, body) if over is None else self.store.put_over(name, body, over)
        except Conflict:
            found = self.store.get(name)
        else:
            return True, Seen(document, version)
        if found is None:
            return False, None
        if found.body == body:
            return True, Seen(document, found.version)
        return False, Seen(decode(type(document), name, found.body, self.place), found.version, found.written)

    def write(self, document: D, over: str | None) -> Seen[D]:
        """The same where nobody else is expected to write.

        Raises:
            Conflict: when another writer was faster.
        """
        done, seen = self.offer(document, over)
        if not done or seen is None:
            raise Conflict(document.name)
        return seen

    def change(self, blank: D, decide: Callable[[D], D | R], seen: Seen[D] | None = None) -> D | R:
        """Change a document as it is now; when another writer is faster, as it is then.

        Args:
            blank: what is changed where there is none yet; its name is the document's.
            decide: the changed document, the same one when there is nothing to change, or why not.
            seen: the document, if it was just read.

        Returns:
            What was decided: the document that lies there now, or why not.
        """
        seen = seen or self.read(type(blank), blank.name)
        while True:
            before = seen.document if seen is not None else blank
            decided = decide(before)
            if decided is before or not isinstance(decided, type(blank)):
                return decided
            done, seen = self.offer(decided, seen.version if seen is not None else None)
            if done and seen is not None:
                return seen.document

    def remove(self, name: str) -> None:
        """Remove a document for good."""
        self.store.remove(name)

    def chunks(self, prefix: str) -> Iterator[list[str]]:
        """The names that begin so, some at a time, so that memory stays flat."""
        names = sorted(self.store.names(prefix))
        for start in range(0, len(names), _CHUNK):
            yield names[start : start + _CHUNK]


def together(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The work's result for each item, in order, several at once: most of it waits for the store."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="openfunnel-ledger") as threads:
        yield from threads.map(work, items)
