"""A roster's addresses, as its program gives them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pulumi

from .. import emails as addresses
from .. import wording
from ..errors import InvalidInput


def known(name: str, emails: Any) -> dict[str, None] | None:
    """The addresses, when the program knows them already."""
    plain = isinstance(emails, Sequence) and all(isinstance(email, str) for email in emails)
    return dict.fromkeys(checked(name, emails)) if plain else None


def checked(name: str, emails: Any) -> list[str]:
    """The addresses normalized, each once.

    Raises:
        pulumi.RunError: naming those that are none.
    """
    if isinstance(emails, str) or not isinstance(emails, Sequence):
        raise pulumi.RunError(f"{name}: emails is no list of addresses.")
    found: dict[str, None] = {}
    wrong = []
    for email in emails:
        try:
            found[str(addresses.parse(email))] = None
        except InvalidInput as error:  # noqa: PERF203 - each is named
            wrong.append(error.problem)
    if wrong:
        raise pulumi.RunError(f"{name}: {wording.sentences(wrong)} Give addresses such as bob@b.com.")
    return sorted(found)


def missing(name: str, email: str, emails: Collection[str]) -> str:
    """The line that says that a roster has no such address, and which ones are near."""
    near = difflib.get_close_matches(email, emails, n=3)
    return f"{email} is not in the roster {name}" + (f"; near: {', '.join(near)}" if near else "")


def respelled(name: str, argument: str, given: Any, emails: Collection[str]) -> dict[str, str]:
    """A mapping from address to text, its addresses normalized.

    Raises:
        pulumi.RunError: naming those that are not in the roster, that are there twice and differ, or have no text.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise pulumi.RunError(f"{name}: {argument} is no mapping by address.")
    found: dict[str, Any] = {}
    for email, value in given.items():
        spelling = str(addresses.normalize(email))
        if found.setdefault(spelling, value) != value:
            raise pulumi.RunError(f"{name}: {argument} names {spelling} twice, and differently.")
    strange = sorted(found.keys() - set(emails))
    if strange:
        raise pulumi.RunError(f"{name}: {argument} names {wording.names(strange)}, not in emails.")
    textless = sorted(email for email, value in found.items() if not isinstance(value, str))
    if textless:
        raise pulumi.RunError(f"{name}: {argument} gives {wording.names(textless)} something that is not text.")
    return found
