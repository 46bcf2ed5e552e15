"""What is in every state: the names of properties, and the documents that some of them hold.

The engine copies, compares and logs each entry of a map on its own, several times a preview, and so does the SDK on
both ends: a thousand users are tens of thousands of entries. A document, which is JSON as text, is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

# A ProvisionedUser

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

SHOWN_AS = "shown_as"
"""What messages call a user whose address is a secret: the resource's name, given only then."""

# The members of a roster

MEMBERS_INPUTS = (
    "roster",
    "emails",
    "late_emails",
    "prefixes",
    "aliases",
    "email_mapping",
    "orchestrator",
    "max_removals",
    "protected",
    "secret",
    "placed",
)
"""What a roster gives to its members resource, and what check computes: ``placed``.

``emails`` is a document: an object of id to address, or a list of addresses; null where the address is an output, which
``late_emails`` holds by id or position.
"""

PLACED = "placed"
"""By id: ``email``, ``internal_email``, ``shard`` and, where the program names one, ``alias``."""

# A shard

SHARDS = 32
"""Part of every URN, so it never changes once released; what speaks for more and for fewer: docs/performance.md."""

SHARD_INPUTS = ("roster", "members", "existing_api_keys", "orchestrator", "secret")
"""What a roster gives to a shard: ``members`` and ``existing_api_keys`` (secret) are by id."""

SHARD_OUTPUTS = ("users", "api_keys", "failed", "tried", "applied", "roster", "orchestrator", "secret")
"""``users``, ``api_keys`` (secret) and ``failed`` are by id; ``tried`` tells in which operation keys were got last
(``engine``, its address), and of how many ``users``; ``applied`` is a digest of the inputs that all came true."""

DOCUMENTS = frozenset(
    {"emails", "prefixes", "aliases", "placed", "members", "existing_api_keys", "users", "api_keys", "failed", "tried"}
)
"""Those properties of members and shards that are documents."""


def shard_of(id_: str) -> int:
    """The shard that a member's id hashes to."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4], "big") % SHARDS


def load(document: Any) -> Any:
    """What a document holds; of None and what is no text, the same."""
    return json.loads(document) if isinstance(document, str) else document


def dump(value: Any) -> str | None:
    """The document of a value; None of None."""
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)


def pick(props: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of the properties that have a value."""
    return {name: props[name] for name in names if props.get(name) is not None}
