"""Some users of a ledger, as a ledger of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import LedgerUnusable
from ..ledger.documents import Answer, User, answer_name
from ..ledger.rules import Ledger
from ..ledger.store import Document, Store


class Part:
    """A store that lists only some of its documents; see :class:`Store`.

    Args:
        store: the whole.
        names: of what is listed.
    """

    def __init__(self, store: Store, names: Collection[str]) -> None:
        self.place = store.place
        self._store = store
        self._names = names

    def get(self, name: str) -> Document | None:
        return self._store.get(name)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return self._store.get_many(names)

    def put_new(self, name: str, body: bytes) -> str:
        return self._store.put_new(name, body)

    def put_over(self, name: str, body: bytes, version: str) -> str:
        return self._store.put_over(name, body, version)

    def remove(self, name: str) -> None:
        self._store.remove(name)

    def names(self, prefix: str) -> list[str]:
        return [name for name in self._names if name.startswith(prefix)]

    def close(self) -> None:
        """The whole stays open."""


def part(ledger: Ledger, users: Collection[str]) -> Ledger:
    """A ledger in which only these users are found; its runs are the whole one's.

    Args:
        ledger: the whole.
        users: the names of their documents.
    """
    return Ledger(Part(ledger.archive.store, users), ledger.owners, ledger.archive.fresh, ledger.clock)


def sound_users(ledger: Ledger) -> tuple[list[str], list[str]]:
    """The users whose documents can all be read, by name; and one line for each document that cannot."""
    sound: list[str] = []
    problems: list[str] = []
    for names in ledger.archive.chunks("users/"):
        users, wrong = ledger.archive.read_sound(User, names)
        problems += wrong
        for name, seen in users.items():
            try:
                ledger.archive.read_many(Answer, [answer_name(one.answer) for one in seen.document.attempts])
            except LedgerUnusable as error:
                if error.transient:
                    raise
                problems.append(str(error))
            else:
                sound.append(name)
    return sound, problems
