"""What an update does to a roster: one sentence for a reviewer, and the guards against removing too many. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .. import wording
from ..errors import InvalidInput
from .placement import Member

FREE_REMOVALS = 10
"""So many may always be removed; more only up to a tenth of the roster, unless ``max_removals`` says otherwise."""


@dataclass(frozen=True)
class Changes:
    """Who comes, who goes, who stays.

    Attributes:
        added: the new members, by id.
        removed: the old ones whose internal email no member keeps, by old id.
        moved: those whose user stays and stands for another address: by id, the old member and the new one.
        renamed: how many only have another id.
        unchanged: how many stay as they are.
        before: how many there were.
        late: how many addresses are not known yet.
    """

    added: Mapping[str, Member] = field(default_factory=dict)
    removed: Mapping[str, Member] = field(default_factory=dict)
    moved: Mapping[str, tuple[Member, Member]] = field(default_factory=dict)
    renamed: int = 0
    unchanged: int = 0
    before: int = 0
    late: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.removed or self.moved or self.renamed)


def changes(
    olds: Mapping[str, Member],
    news: Mapping[str, Member],
    same: Mapping[str, str],
    *,
    late: int = 0,
    may_be_late: Collection[str] = (),
) -> Changes:
    """Compare a roster's members.

    Args:
        olds: as they were, by old id.
        news: as they are declared, by new id.
        same: by new id, the old one; see :func:`placement.match`.
        late: how many more are declared whose addresses are not known yet.
        may_be_late: old ids whose members may be among these.
    """
    kept = {member.internal_email for member in news.values()}
    added = {id_: new for id_, new in news.items() if _old_user(olds, same, id_) != new.internal_email}
    moved = {
        id_: (olds[same[id_]], new)
        for id_, new in news.items()
        if id_ not in added and olds[same[id_]].email != new.email
    }
    removed = {id_: old for id_, old in olds.items() if old.internal_email not in kept and id_ not in may_be_late}
    renamed = sum(id_ != old for id_, old in same.items() if id_ not in added and id_ not in moved)
    return Changes(added, removed, moved, renamed, len(news) - len(added) - len(moved) - renamed, len(olds), late)


def _old_user(olds: Mapping[str, Member], same: Mapping[str, str], id_: str) -> str | None:
    return olds[same[id_]].internal_email if id_ in same else None


def check_removals(roster: str, found: Changes, names: Sequence[str], *, most: int | None, protect: bool) -> None:
    """Refuse an update that removes users from a protected roster, or too many from any.

    Args:
        roster: its name.
        found: what changes.
        names: of the removed ones.
        most: ``max_removals``; None for the default bounds.
        protect: whether the roster is protected.

    Raises:
        InvalidInput: naming them, with what to do when it is meant.
    """
    count = len(found.removed)
    if not count:
        return
    who = f"{_users(count)} of {found.before} would be removed ({wording.names(names)})"
    if protect:
        raise InvalidInput(
            "emails",
            f"{roster}: {who}, but the roster is protected.",
            "To remove them, take protect=True away from the program (pulumi state unprotect does not lift it).",
        )
    if most is None and (count <= FREE_REMOVALS or count * 10 <= found.before):
        return
    if most is not None and count <= most:
        return
    bound = f"max_removals={most}" if most is not None else f"more than {FREE_REMOVALS} and more than 10 %"
    raise InvalidInput("emails", f"{roster}: {who}: {bound}.", f"If that is meant, set max_removals={count}.")


def sentence(roster: str, found: Changes, *, ledger: bool, secret: bool) -> str:
    """What changes, as a reviewer reads it: counts first.

    Args:
        roster: its name.
        found: what changes.
        ledger: whether keys that leave go into a ledger.
        secret: whether the addresses are secret, so that counts are all that may be said.
    """
    added = [id_ if id_ == new.email else f"{id_}: {new.email}" for id_, new in found.added.items()]
    moved = [f"{_renamed(id_, *both)}, same user and key" for id_, both in found.moved.items()]
    parts = [
        _part("+", wording.names(added), len(added), secret),
        _part("-", f"{wording.names(list(found.removed))}: {_live_on(found, ledger)}", len(found.removed), secret),
        _part("~", wording.names(moved, "; "), len(moved), secret),
        f"{found.renamed} under another id, same users and keys" if found.renamed else "",
        f"{found.unchanged} unchanged",
        f"{found.late} not known yet" if found.late else "",
    ]
    return f"{roster}: {', '.join(part for part in parts if part)}."


def _live_on(found: Changes, ledger: bool) -> str:  # noqa: FBT001
    if len(found.removed) == 1:
        return "the user lives on; its key stays in the ledger" if ledger else "the user lives on"
    return "the users live on; their keys stay in the ledger" if ledger else "the users live on"


def _renamed(id_: str, old: Member, new: Member) -> str:
    return f"{old.email} becomes {new.email}" if id_ == new.email else f"{id_}: {old.email} becomes {new.email}"


def _part(sign: str, names: str, count: int, secret: bool) -> str:  # noqa: FBT001
    if not count:
        return ""
    return f"{sign}{count}" if secret else f"{sign}{count} ({names})"


def _users(count: int) -> str:
    return f"{count} user" if count == 1 else f"{count} users"
