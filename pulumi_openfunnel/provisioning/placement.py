"""Which member of a roster is which, and which shard it belongs to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..schema import shard_of


@dataclass(frozen=True)
class Member:
    """One member, as it is declared or as it was.

    Attributes:
        email: the end user's address, normalized.
        internal_email: the user's, at the orchestrator's domain.
        alias: the id that the member had before, as the program says.
    """

    email: str
    internal_email: str
    alias: str | None = None


def match(olds: Mapping[str, Member], news: Mapping[str, Member]) -> dict[str, str]:
    """By new id, the id that the same member had before.

    A member is the old one with the same address and internal email, whatever its id: two ids may have swapped their
    customers. Else it is the one that its alias names, else the one with its id. No old member is two new ones.
    """
    by_user = {(old.email, old.internal_email): id_ for id_, old in olds.items()}
    rules: list[Callable[[str, Member], str | None]] = [
        lambda _id, new: by_user.get((new.email, new.internal_email)),
        lambda _id, new: new.alias,
        lambda id_, _new: id_,
    ]
    found: dict[str, str] = {}
    free = set(olds)
    for rule in rules:
        for id_ in [id_ for id_ in news if id_ not in found]:
            old = rule(id_, news[id_])
            if old is not None and old in free:
                found[id_] = old
                free.discard(old)
    return found


def place(olds: Mapping[str, int], same: Mapping[str, str], id_: str) -> int:
    """The shard of a member: the one of the old member that it is, else the one that its id hashes to.

    Args:
        olds: the shard of each old member, by id.
        same: by new id, the old one; see :func:`match`.
        id_: the member's.
    """
    return olds[same[id_]] if id_ in same else shard_of(id_)
