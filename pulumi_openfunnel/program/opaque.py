"""Large values, wrapped so that Pulumi's SDK does not walk through them, and outputs of many resources as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, NamedTuple

import pulumi

from .. import schema


class Opaque:
    """A value that Pulumi's SDK does not look into: it would walk through all that is in it, again and again."""

    def __init__(self, value: Any) -> None:
        self.value = value


def opened(document: Any) -> Opaque:
    """What a document holds; see ``schema``."""
    return Opaque(schema.load(document))


def together(outputs: Sequence[pulumi.Output[Any]]) -> pulumi.Output[Opaque]:
    """The outputs' values as a list. ``Output.all`` would make an output of every leaf of each, which takes seconds."""
    found = asyncio.ensure_future(_gathered(outputs))
    parts = [_Part(found, read) for read in (_resources, _values, _are_known, _are_secret)]
    return pulumi.Output(*parts)


def merged(parts: Opaque) -> dict[str, Any]:
    """The maps that the parts hold, as one; a part of None holds nothing."""
    return {id_: value for part in parts.value for id_, value in (part.value or {}).items()}


def unknown() -> pulumi.Output[Any]:
    """An output whose value is not known, in an update as well."""
    return pulumi.Output.from_input(pulumi.output.UNKNOWN)


class _Resolved(NamedTuple):
    """An output, once it is resolved."""

    resources: set[pulumi.Resource]
    value: Any
    is_known: bool
    is_secret: bool


class _Part:
    """A part of what a task finds. Not a coroutine, of which Python complains when nobody comes to await it."""

    def __init__(self, found: Awaitable[list[_Resolved]], read: Callable[[list[_Resolved]], Any]) -> None:
        self._found = found
        self._read = read

    def __await__(self) -> Generator[Any, None, Any]:
        return self._read((yield from self._found.__await__()))


async def _gathered(outputs: Sequence[pulumi.Output[Any]]) -> list[_Resolved]:
    return [
        _Resolved(
            await output.resources(),
            await output.future(with_unknowns=True),
            await output.is_known(),
            await output.is_secret(),
        )
        for output in outputs
    ]


def _resources(found: list[_Resolved]) -> set[pulumi.Resource]:
    return set().union(*(each.resources for each in found))


def _values(found: list[_Resolved]) -> Opaque:
    return Opaque([each.value for each in found])


def _are_known(found: list[_Resolved]) -> bool:
    return all(each.is_known for each in found)


def _are_secret(found: list[_Resolved]) -> bool:
    return any(each.is_secret for each in found)
