"""A shard's values by email, as the JSON documents that its properties hold.

The engine copies, compares and logs each entry of a map on its own, several times a preview, and so does the SDK on
both ends: a thousand users are tens of thousands of entries. A document is one.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi import contains_unknowns

NAMES = frozenset(
    {"emails", "prefixes", "existing_api_keys", "internal_emails", "users", "api_keys", "failed", "tried"},
)
"""The properties that are documents; their names and what is in them are in every state."""


def opened(props: dict[str, Any]) -> dict[str, Any]:
    """A shard's properties with the documents' values; what is unknown stays so."""
    return {name: load(value) if name in NAMES else value for name, value in props.items()}


def closed(props: dict[str, Any]) -> dict[str, Any]:
    """The same, the other way round."""
    return {
        name: dump(value) if name in NAMES and not contains_unknowns(value) else value for name, value in props.items()
    }


def load(document: Any) -> Any:
    """What a document holds; of None and what is unknown, the same."""
    return json.loads(document) if isinstance(document, str) else document


def dump(value: Any) -> str | None:
    """The document of a value; None of None."""
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)
