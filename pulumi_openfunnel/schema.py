"""What is in every state: the names of properties, and the documents that some of them hold.

The engine copies, compares and logs each entry of a map on its own, several times a preview, and so does the SDK on
both ends: a thousand users are tens of thousands of entries. A document, which is JSON as text, is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

USER_INPUTS = ("email", "prefix", "email_mapping", "orchestrator")
"""What the program gives for one user, but for the key of one that is adopted."""

INPUTS = (*USER_INPUTS, "internal_email")
"""The same with what check computes: what a diff compares, and what outputs repeat."""

ADOPTED = "existing_api_key"
"""The input that is never an output."""

REPLACING = frozenset({"internal_email", "orchestrator"})
"""What makes another user."""

ISSUED = ("api_key", "key_fingerprint", "key_status")
"""What create brings and every later verb keeps."""

SHARD_INPUTS = ("roster", "emails", "prefixes", "existing_api_keys", "email_mapping", "orchestrator", "internal_emails")
"""What a roster gives to a shard, and what check computes: ``internal_emails``, by email."""

SHARD_OUTPUTS = ("users", "api_keys", "failed", "tried", "roster", "orchestrator")
"""``users``, ``api_keys`` (secret) and ``failed`` are by email; ``tried`` tells when a verb got keys last, in seconds since
the epoch (``at``), and of how many ``users``."""

DOCUMENTS = frozenset(
    {"emails", "prefixes", "existing_api_keys", "internal_emails", "users", "api_keys", "failed", "tried"},
)
"""Those properties of a shard that are documents."""


def load(document: Any) -> Any:
    """What a document holds; of None and what is no text, the same."""
    return json.loads(document) if isinstance(document, str) else document


def dump(value: Any) -> str | None:
    """The document of a value; None of None."""
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)


def pick(props: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of the properties that have a value."""
    return {name: props[name] for name in names if props.get(name) is not None}
