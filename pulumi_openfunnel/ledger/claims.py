"""Who holds a key: which claims count, and what a new one leaves of them. Pure, like the changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from .documents import Claim, Identity, User
from .turns import Taken


def stands(user: User | None, attempt: str, key: str) -> bool:
    """Whether a claim counts: its user's document lists the attempt, and not the key among its dead ones."""
    return user is not None and user.attempt(attempt) is not None and key not in user.dead


def claimed(
    claim: Claim, identity: Identity, attempt: str, emails: Collection[str], users: Mapping[str, User]
) -> Claim | Taken:
    """The key becomes a user's, whose document lists the attempt that brought it.

    Stale claims go; the same end user at another base URL is a second holder.

    Args:
        claim: as it lies there.
        identity: whose key it becomes.
        attempt: the attempt.
        emails: the end user's addresses: the one now, and the one before a move.
        users: the documents that the claim names, by name.
    """
    others = []
    for holder, its_attempt in claim.holders:
        user = users.get(holder)
        if holder == identity.name or user is None or not stands(user, its_attempt, claim.name):
            continue
        if user.internal_email != identity.internal_email or user.email not in emails:
            return Taken(user)
        others.append((holder, its_attempt))
    return replace(claim, holders=(*others, (identity.name, attempt)))
