"""The documents as JSON, of format 1; and one line for a body that is not what its name says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

from ..errors import LedgerUnusable
from .documents import Answer, Attempt, Claim, Moved, Run, State, Stored, User, user_name

FORMAT = 1

D = TypeVar("D", bound=Stored)

_KEEP = "Nothing was changed, because it may hold the only copy of a key. Restore it from a backup or an older version."


def encode(document: Stored) -> bytes:
    """A document's body."""
    return json.dumps({"format": FORMAT} | vars(document), default=_plain, separators=(",", ":")).encode()


def decode(kind: type[D], name: str, body: bytes, place: str) -> D:
    """The document with this body.

    Args:
        kind: its class.
        name: the name that it was read under.
        body: what was read.
        place: the ledger, as messages name it.

    Raises:
        LedgerUnusable: when a newer version wrote it, or somebody damaged it or put it in another one's place.
    """
    try:
        fields = _Fields(json.loads(body))
        newer = fields.number("format") > FORMAT
        found = None if newer else _PARSERS[kind](fields)
    except (ValueError, RecursionError):
        raise LedgerUnusable(place, f"holds a damaged document, {name}", _KEEP) from None
    if newer:
        upgrade = "Run: pip install --upgrade pulumi-openfunnel."
        raise LedgerUnusable(place, f"holds {name}, which a newer version of pulumi-openfunnel wrote", upgrade)
    if found is None or found.name != name or not _is_its_own(found):
        raise LedgerUnusable(place, f"holds another document in the place of {name}", _KEEP)
    return cast("D", found)


def _is_its_own(found: Stored) -> bool:
    """Whether a user's document says the internal email that its name was made of; an emptied one says none."""
    return not isinstance(found, User) or not found.base_url or found.name == _named(found)


def _named(user: User) -> str:
    return user_name(user.base_url, user.internal_email)


def _plain(value: object) -> dict[str, Any] | str:
    """A part of a document that JSON has no word for."""
    if is_dataclass(value):
        return vars(value)
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode()


class _Fields:
    """The fields of a JSON object, each taken once; ValueError where one is missing, is left, or of another type."""

    def __init__(self, raw: object) -> None:
        if not isinstance(raw, dict):
            raise ValueError  # noqa: TRY004 - one kind of error for all that is wrong with a body
        self._raw = dict(raw)

    def text(self, name: str) -> str:
        return str(self._take(name, str))

    def optional(self, name: str) -> str | None:
        value = self._take(name, str | None)
        return None if value is None else str(value)

    def flag(self, name: str) -> bool:
        return bool(self._take(name, bool))

    def number(self, name: str) -> float:
        return float(self._take(name, float | int, bool))

    def binary(self, name: str) -> bytes:
        return base64.b64decode(self.text(name), validate=True)

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.items(name)
        if not all(isinstance(value, str) for value in values):
            raise ValueError(name)
        return tuple(values)

    def items(self, name: str) -> list[Any]:
        return list(self._take(name, list))

    def stored(self) -> dict[str, str]:
        return {"name": self.text("name"), "nonce": self.text("nonce")}

    def end(self) -> None:
        if self._raw:
            raise ValueError

    def _take(self, name: str, type_: Any, but: type | tuple[()] = ()) -> Any:
        value = self._raw.pop(name, ...)
        if not isinstance(value, type_) or isinstance(value, but):
            raise ValueError(name)  # noqa: TRY004 - see above
        return value


def _attempt(raw: object) -> Attempt:
    fields = _Fields(raw)
    found = Attempt(
        id=fields.text("id"),
        run=fields.text("run"),
        user_id=fields.text("user_id"),
        email=fields.text("email"),
        state=State(fields.text("state")),
        created=fields.number("created"),
        changed=fields.number("changed"),
        answer=fields.text("answer"),
        problem=fields.optional("problem"),
    )
    fields.end()
    return found


def _user(fields: _Fields) -> User:
    return User(
        **fields.stored(),
        base_url=fields.text("base_url"),
        internal_email=fields.text("internal_email"),
        email=fields.text("email"),
        left=fields.flag("left"),
        attempts=tuple(map(_attempt, fields.items("attempts"))),
        dead=fields.texts("dead"),
    )


def _answer(fields: _Fields) -> Answer:
    return Answer(
        **fields.stored(),
        key_id=fields.text("key_id"),
        sealed=fields.binary("sealed"),
        whole=fields.flag("whole"),
        kept=fields.number("kept"),
    )


def _claim(fields: _Fields) -> Claim:
    holders = tuple(_holder(pair) for pair in fields.items("holders"))
    return Claim(**fields.stored(), fingerprint=fields.text("fingerprint"), holders=holders)


def _holder(pair: object) -> tuple[str, str]:
    if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
        raise ValueError
    return pair[0], pair[1]


def _run(fields: _Fields) -> Run:
    return Run(**fields.stored(), host=fields.text("host"), process=fields.text("process"), job=fields.text("job"))


def _moved(fields: _Fields) -> Moved:
    return Moved(**fields.stored(), to=fields.text("to"), done=fields.flag("done"))


def _whole(parse: Callable[[_Fields], Stored]) -> Callable[[_Fields], Stored]:
    """A parser that takes every field that is there."""

    def parsed(fields: _Fields) -> Stored:
        found = parse(fields)
        fields.end()
        return found

    return parsed


_PARSERS: dict[type[Stored], Callable[[_Fields], Stored]] = {
    User: _whole(_user),
    Answer: _whole(_answer),
    Claim: _whole(_claim),
    Run: _whole(_run),
    Moved: _whole(_moved),
}
