"""A ledger is copied to another place, and answers for nobody at the old one from then on."""

from __future__ import annotations

from ..errors import LedgerUnusable
from .archive import Archive, together
from .base import moved_away
from .documents import MOVED, Moved
from .rules import Ledger
from .store import Conflict

_KINDS = ("users/", "answers/", "keys/")


def copy(source: Ledger, target: Ledger) -> int:
    """Copy all documents, and mark the source as moved. One that broke off is begun again with the same places.

    At no time do both answer for a user: the source is marked before anything is written, and the target, which is
    marked as well, is free only once the source says for good that it was moved.

    Args:
        source: what to copy. It can still be listed.
        target: an empty ledger, or one that was moved itself, which is overwritten.

    Returns:
        How many documents there are.

    Raises:
        LedgerUnusable: when a run lives in one of them, or the target is neither empty nor moved.
    """
    left = _leave(source, target.place)
    try:
        _clear(target)
    except LedgerUnusable:
        if left:
            source.archive.remove(MOVED)
        raise
    number = _copied(source.archive, target.archive)
    _mark(source.archive, target.place, done=True)
    target.archive.remove(MOVED)
    return number


def _leave(source: Ledger, to: str) -> bool:
    """Mark the source, so that no run begins; tell whether it was not marked before."""
    seen = source.archive.read(Moved, MOVED)
    if seen is not None and seen.document.to != to:
        raise moved_away(source.place, seen.document)
    if seen is None:
        _mark_idle(source, to)
    return seen is None


def _clear(target: Ledger) -> None:
    """Mark the target as one that is not complete, and see that nothing of its own is lost."""
    archive = target.archive
    if archive.read(Moved, MOVED) is not None:
        _check_nobody_runs(target)
        return
    if any(archive.store.names(kind) for kind in _KINDS):
        raise LedgerUnusable(archive.place, "is not empty", "Give another place to copy to.")
    _mark_idle(target, "")


def _mark_idle(ledger: Ledger, to: str) -> None:
    """Mark a ledger, so that no run begins; then look whether one had begun, and if so take the mark back."""
    _mark(ledger.archive, to, done=False)
    try:
        _check_nobody_runs(ledger)
    except LedgerUnusable:
        ledger.archive.remove(MOVED)
        raise


def _copied(source: Archive, target: Archive) -> int:
    """Bring every document over as it is, and remove what is not in the source."""
    wanted = [name for kind in _KINDS for names in source.chunks(kind) for name in names]
    for kind in _KINDS:
        for name in sorted(set(target.store.names(kind)) - set(wanted)):
            target.remove(name)
        for names in source.chunks(kind):
            there = target.store.get_many(names)
            puts = [
                (target, name, found.body, there[name].version if name in there else None)
                for name, found in source.store.get_many(names).items()
            ]
            list(together(_put, puts))
    return len(wanted)


def _put(put: tuple[Archive, str, bytes, str | None]) -> None:
    target, name, body, over = put
    try:
        if over is None:
            target.store.put_new(name, body)
        else:
            target.store.put_over(name, body, over)
    except Conflict:
        found = target.store.get(name)
        if found is None or found.body != body:  # else the write's own reply was lost
            raise LedgerUnusable(target.place, f"is being written by somebody else: {name}", "Copy again.") from None


def _mark(archive: Archive, to: str, *, done: bool) -> None:
    blank = Moved(name=MOVED, to=to, done=done)
    seen = archive.read(Moved, MOVED)
    if seen is None or seen.document.to != to or seen.document.done != done:
        archive.write(blank, seen.version if seen is not None else None)


def _check_nobody_runs(ledger: Ledger) -> None:
    if ledger.owners.others():
        raise LedgerUnusable(ledger.place, "is in use by another run", "Wait until it ends, and copy again.")
