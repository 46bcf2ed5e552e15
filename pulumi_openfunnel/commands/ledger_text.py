"""Entries of a ledger, as text for an operator and as one JSON document for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..api.answers import believe
from ..errors import AnswerNotBelieved
from ..ledger.base import moved_away
from ..ledger.documents import Moved
from ..ledger.listing import Row
from ..ledger.sealing import Seal
from ..ledger.turns import opened
from ..settings import LEDGER_KEY
from .ledger_advice import advice, advice_elsewhere
from .ledger_entries import Entries, Entry, Fate
from .ledger_keys import API_KEY, OLD_KEY

FORMAT = 1
"""Of the JSON document: names that it has stay, others may come."""


@dataclass(frozen=True)
class Shown:
    """A key, or what an answer holds instead. Neither is shown by ``repr``.

    Attributes:
        api_key: the key.
        answer: the answer, when it holds no usable key.
        problem: why nothing can be shown.
    """

    api_key: str | None = field(default=None, repr=False)
    answer: str | None = field(default=None, repr=False)
    problem: str | None = None


@dataclass(frozen=True)
class View:
    """What of a ledger is shown.

    Attributes:
        place: the ledger, as messages name it.
        entries: all of them.
        moved: where the ledger went, if it did.
        command: the command that shows this ledger, for advice.
        only_failed: whether those alone are shown whose users were requested and are not there.
        keys: what to open answers with; None when no key is shown.
        provisioner_key: the provisioner key, which no user has.
    """

    place: str
    entries: Entries
    moved: Moved | None
    command: str
    only_failed: bool
    keys: Sequence[Seal] | None
    provisioner_key: str = field(repr=False)

    def advice(self, entry: Entry) -> str:
        """What to do about an entry."""
        return advice(entry, self.command) if self.moved is None else advice_elsewhere(self.moved)

    def shown(self, row: Row) -> Shown | None:
        """What is shown of a row's answer; None when there is none, or it is not to be shown."""
        if self.keys is None or row.answer is None:
            return None
        body = opened(row.answer, row.identity, self.keys)
        if body is None:
            return Shown(problem=_why_closed(row.answer.key_id, self.keys))
        try:
            user = believe(row.identity.internal_email, self.provisioner_key, 200, body)
        except AnswerNotBelieved:
            return Shown(answer=body.decode(errors="backslashreplace"))
        return Shown(api_key=user.api_key)


def text(view: View) -> Iterator[str]:
    """The lines for an operator."""
    if view.moved is not None:
        yield str(moved_away(view.place, view.moved))
    count = shown = 0
    for entry in view.entries:
        count += 1
        if entry.failed or not view.only_failed:
            shown += 1
            yield from _lines(view, entry)
    yield from view.entries.problems
    total = f"{count} {'entry' if count == 1 else 'entries'}"
    yield f"{shown} of {total} in {view.place}." if view.only_failed else f"{total} in {view.place}."


def document(view: View) -> Iterator[str]:
    """One JSON document, an entry a line."""
    moved = {"to": view.moved.to or None, "done": view.moved.done} if view.moved is not None else None
    yield f'{{"format": {FORMAT}, "ledger": {json.dumps(view.place)}, "moved": {json.dumps(moved)}, "entries": ['
    comma = ""
    for entry in view.entries:
        if entry.failed or not view.only_failed:
            yield f"{comma}{json.dumps(_fields(view, entry))}"
            comma = ","
    yield f'], "damaged": {json.dumps(view.entries.problems)}}}'


def empty_document(reason: str) -> str:
    """The JSON document where there is no ledger."""
    return json.dumps({"format": FORMAT, "ledger": None, "moved": None, "entries": [], "damaged": [], "reason": reason})


def title(row: Row) -> str:
    """A row on one line."""
    changed = _time(row.changed)
    when = f"{changed:%Y-%m-%d %H:%M:%S UTC}" if changed is not None else "at an unknown time"
    return f"{row.identity.email} -> {row.identity.internal_email}: {row.status.value} {when}"


def _time(seconds: float) -> datetime | None:
    """A time; None when a document says one that there is not."""
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _stamp(seconds: float) -> str | None:
    found = _time(seconds)
    return f"{found:%Y-%m-%dT%H:%M:%SZ}" if found is not None else None


def _why_closed(key_id: str, keys: Sequence[Seal]) -> str:
    if key_id in {seal.key_id for seal in keys}:
        return "it does not open: it was changed after it was sealed"
    return f"sealed under another key: set {API_KEY}, {LEDGER_KEY} or {OLD_KEY} to the one it was sealed under"


def _lines(view: View, entry: Entry) -> Iterator[str]:
    row = entry.row
    key = f", key {row.fingerprint}" if row.fingerprint else ""
    yield title(row)
    yield f"    by {row.identity.user_id} at {row.identity.base_url}{key}"
    yield f"    {view.advice(entry)}"
    shown = view.shown(row)
    if shown is not None:
        yield f"    {_as_line(shown)}"


def _as_line(shown: Shown) -> str:
    if shown.problem is not None:
        return f"({shown.problem})"
    return f"api_key: {shown.api_key}" if shown.api_key is not None else f"answer: {shown.answer}"


def _fields(view: View, entry: Entry) -> dict[str, object]:
    row, attempt, identity = entry.row, entry.row.attempt, entry.row.identity
    fields: dict[str, object] = {
        "email": identity.email,
        "internal_email": identity.internal_email,
        "base_url": identity.base_url,
        "user_id": identity.user_id,
        "status": row.status.value,
        "failed": entry.failed,
        "in_progress": entry.fate is Fate.BUSY,
        "needs_old_key": entry.needs_old_key,
        "key_fingerprint": row.fingerprint,
        "problem": attempt.problem,
        "created": _stamp(attempt.created),
        "changed": _stamp(row.changed),
        "next": view.advice(entry),
    }
    if view.keys is not None:
        shown = view.shown(row) or Shown()
        fields |= {"api_key": shown.api_key, "answer": shown.answer, "not_shown": shown.problem}
    return fields
