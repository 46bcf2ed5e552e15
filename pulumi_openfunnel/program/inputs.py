"""What a program may hand over as a roster's addresses, and how they are looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

import pulumi

from .. import emails as addresses
from .. import schema, wording


class Given:
    """The addresses, as the program gives them.

    Args:
        roster: the roster's name.
        emails: a mapping from an id to an address, an iterable of addresses, or an output of either; single addresses
            may be outputs, too.

    Attributes:
        roster: the same.
        whole: the output that holds all of it; None when the program knows the ids, or the positions.
        by_id: whether it is a mapping; None when that is not known yet.
        late: by id or position, the addresses that are outputs.

    Raises:
        pulumi.RunError: when it holds something else, naming what.
    """

    def __init__(self, roster: str, emails: Any) -> None:
        self.roster = roster
        self.whole: pulumi.Output[Any] | None = pulumi.Output.from_input(emails) if _is_late(emails) else None
        self.by_id: bool | None = None if self.whole is not None else isinstance(emails, Mapping)
        self._entries: dict[str, Any] = {} if self.whole is not None else _entries(roster, emails)
        self.late = {key: email for key, email in self._entries.items() if _is_late(email)}

    @property
    def document(self) -> pulumi.Input[str | None]:
        """The plain addresses as a document: an object by id, or a list; null where one is an output."""
        if self.whole is not None:
            return self.whole.apply(lambda emails: Given(self.roster, emails).document)
        plain = {key: None if key in self.late else email for key, email in self._entries.items()}
        return schema.dump(plain if self.by_id else list(plain.values()))

    @property
    def outputs(self) -> list[Any]:
        """What the addresses are made of, where they are outputs."""
        return list(self.late.values()) if self.whole is None else [self.whole]

    async def is_late(self) -> bool:
        """Whether an address is not known yet, as in a preview that is before its creation."""
        return not all([await output.is_known() for output in self.outputs if isinstance(output, pulumi.Output)])

    @cached_property
    def ids(self) -> Mapping[str, None] | None:
        """The ids, where the program knows them all: its own, or the addresses of a list, each once."""
        if self.whole is not None or (self.late and not self.by_id):
            return None
        keys: Iterable[Any] = self._entries if self.by_id else map(addresses.normalize, self._entries.values())
        return dict.fromkeys(str(key) for key in keys)

    @property
    def known_ids(self) -> Mapping[str, None]:
        """The ids.

        Raises:
            TypeError: when addresses are outputs, so that the program does not know the ids.
        """
        if self.ids is None:
            what = "emails is an Output" if self.whole is not None else "an address in emails is an Output"
            raise TypeError(
                f"{self.roster}: {what}, so the program does not know whose users there are. Use users.apply."
            )
        return self.ids

    def id_of(self, key: object) -> str:
        """The id that a look-up means, as far as it is known: an id as it is, of a list an address in any spelling."""
        return str(addresses.normalize(key)) if self.by_id is False else str(key)

    def found(self, id_: str, ids: Collection[str]) -> str:
        """The same, once the ids are known."""
        return id_ if self.by_id or id_ in ids else str(addresses.normalize(id_))

    def keyed(self, values: dict[str, Any]) -> dict[str, Any]:
        """A mapping by id, which of a list finds any spelling of an address."""
        return values if self.by_id else ByAddress(values)


class ByAddress(dict[str, Any]):
    """A mapping that finds any spelling of an address, and what may be an id as it is."""

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._id(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._id(key))

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(self._id(key), default)

    def _id(self, key: Any) -> Any:
        return key if super().__contains__(key) else addresses.normalize(key)


def document(value: Any) -> Any:
    """A mapping as a document."""
    if value is None or (isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())):
        return schema.dump(value and {str(key): text for key, text in value.items()})
    return pulumi.Output.from_input(value).apply(schema.dump)


def secrecy(opts: pulumi.ResourceOptions | None, made_of: Iterable[Any]) -> asyncio.Future[bool | None] | bool | None:
    """Whether a roster's addresses are to be secret: True, None for not, or what will tell.

    Args:
        opts: the roster's options, which may hide its outputs.
        made_of: the values that internal emails are made of; those that are outputs may be secrets.
    """

    async def one_is() -> bool | None:
        return True if any([await output.is_secret() for output in outputs]) else None

    outputs = [value for value in made_of if isinstance(value, pulumi.Output)]
    if {"users", "failed"} & set((opts and opts.additional_secret_outputs) or ()):
        return True
    return asyncio.ensure_future(one_is()) if outputs else None


def missing(roster: str, key: str, ids: Collection[str]) -> str:
    """The line that says that a roster has no such member, and which ones of these are near."""
    import difflib

    near = difflib.get_close_matches(key, ids, n=3)
    return f"{key} is not in the roster {roster}" + (f"; near: {', '.join(near)}" if near else "")


def by_id(given: Given, argument: str, value: Any, ids: Collection[str], *, hidden: bool = False) -> dict[str, Any]:
    """One of the roster's mappings, by id; of a list, by the address in its one spelling.

    Args:
        given: the roster's addresses.
        argument: the mapping's name.
        value: what the program gives.
        ids: those that are in the roster.
        hidden: whether ids are secret addresses, which no message may show.

    Raises:
        pulumi.RunError: naming those that are not in the roster, are there twice and differ, or have no text.
    """

    def named(wrong: Collection[str]) -> str:
        return f"{len(wrong)} of its addresses" if hidden else wording.names(sorted(wrong))

    if not isinstance(value, Mapping):
        raise pulumi.RunError(f"{given.roster}: {argument} is not a mapping by {_key(given)}.")
    found: dict[str, Any] = {}
    for key, text in value.items():
        id_ = given.found(given.id_of(key), ids)
        if text is not None and found.setdefault(id_, text) != text:
            raise pulumi.RunError(f"{given.roster}: {argument} names {named([id_])} twice, and differently.")
    if strange := found.keys() - set(ids):
        raise pulumi.RunError(f"{given.roster}: {argument} names {named(strange)}, not in emails.")
    if textless := [id_ for id_, text in found.items() if not isinstance(text, str)]:
        raise pulumi.RunError(f"{given.roster}: {argument} gives {named(textless)} something that is not text.")
    return found


def _key(given: Given) -> str:
    return "id" if given.by_id else "address"


def _is_late(value: Any) -> bool:
    return isinstance(value, pulumi.Output | Awaitable)


def _entries(roster: str, emails: Any) -> dict[str, Any]:
    """By id or position, each address.

    Raises:
        pulumi.RunError: naming what is no address.
    """
    if isinstance(emails, str | bytes) or not isinstance(emails, Iterable):
        raise pulumi.RunError(
            f"{roster}: emails is neither a mapping from ids to addresses nor an iterable of addresses."
        )
    if isinstance(emails, Mapping):
        entries = _by_text(roster, emails)
    else:
        entries = {str(position): email for position, email in enumerate(emails)}
    wrong = [f"{_named(key, emails)} {_kind(email)}" for key, email in entries.items() if not _is_address(email)]
    if wrong:
        raise pulumi.RunError(f"{roster}: {wording.names(wrong, '; ')}. Give addresses such as bob@b.com.")
    return entries


def _by_text(roster: str, emails: Mapping[Any, Any]) -> dict[str, Any]:
    """The mapping, its ids as text."""
    found: dict[str, Any] = {}
    for id_, email in emails.items():
        if not isinstance(id_, str | int) or isinstance(id_, bool) or not str(id_).strip():
            raise pulumi.RunError(f"{roster}: emails has an id that is not text or an integer: {id_!r:.80}.")
        if str(id_) in found:
            raise pulumi.RunError(f"{roster}: emails has the id {id_} twice, as text and as an integer.")
        found[str(id_)] = email
    return found


def _is_address(email: Any) -> bool:
    return _is_late(email) or (isinstance(email, str) and bool(email.strip()))


def _named(key: str, emails: Any) -> str:
    return key if isinstance(emails, Mapping) else f"entry {key}"


def _kind(email: Any) -> str:
    if isinstance(email, str):
        return "is empty"
    return "is None" if email is None else "is NaN" if email != email else f"is {type(email).__name__}, not text"  # noqa: PLR0124 - NaN alone
