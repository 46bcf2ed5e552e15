"""Large values, wrapped so that Pulumi's SDK does not walk through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from .. import schema


@dataclass(frozen=True)
class Opaque:
    """A value that Pulumi's SDK does not look into: it would walk through all that is in it, again and again."""

    value: Any


def opened(document: Any) -> Opaque:
    """What a document holds; see ``schema``."""
    return Opaque(schema.load(document))


def together(outputs: Sequence[pulumi.Output[Any]]) -> pulumi.Output[Opaque]:
    """The outputs' values as a list; ``Output.all`` would make an output of every leaf of each, which takes seconds."""
    found: pulumi.Output[Opaque] = pulumi.Output.from_input(None).apply(lambda _: Opaque([]))
    for output in outputs:
        found = found.apply(partial(_and_then, output))
    return found


def merged(parts: Opaque) -> dict[str, Any]:
    """The maps that the parts hold, as one; a part of None holds nothing."""
    return {email: value for part in parts.value for email, value in (part.value or {}).items()}


def unknown() -> pulumi.Output[Any]:
    """An output whose value is not known, in an update as well."""
    return pulumi.Output.from_input(pulumi.output.UNKNOWN)


def _and_then(output: pulumi.Output[Any], values: Opaque) -> pulumi.Output[Opaque]:
    return output.apply(lambda value: Opaque([*values.value, value]))
