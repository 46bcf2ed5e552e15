"""The members that a program declares: every address checked, every internal email computed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import emails, wording
from ..errors import InvalidInput
from .placement import Member

_SHOWN = 5  # of what is wrong, in a line


@dataclass(frozen=True)
class Declared:
    """What a program declares.

    Attributes:
        roster: its name.
        members: by id, which is the program's own, or the address of a list.
        names: by id, what messages call a member: never by a secret address.
        late: whose addresses are not known yet: by id, or by position in a list.
        secret: whether the addresses are secret.
        by_id: whether the ids are the program's own.
    """

    roster: str
    members: Mapping[str, Member]
    names: Mapping[str, str]
    late: Sequence[str]
    secret: bool
    by_id: bool

    def name_of_old(self, id_: str, old: Member) -> str:
        """What messages call a member as it was."""
        if not self.secret:
            return id_ if id_ == old.email else f"{id_} ({old.email})"
        return "another member" if id_ == old.email else id_

    def may_be_late(self, olds: Mapping[str, Member], same: Mapping[str, str]) -> set[str]:
        """The old ids whose members may be declared with an address that is not known yet.

        Args:
            olds: the old members.
            same: by new id, the old one; see :func:`placement.match`.
        """
        open_ = olds.keys() - set(same.values()) if self.late else set()
        return open_ & set(self.late) if self.by_id else open_


def declared(inputs: Mapping[str, Any], domain: str) -> Declared:
    """The members.

    Args:
        inputs: a roster's, with the documents' values; an address that is not known yet is None.
        domain: the orchestrator's, in ASCII.

    Raises:
        InvalidInput: in one line that names all that are wrong.
    """
    roster, secret = inputs["roster"], bool(inputs.get("secret"))
    entries, names, late = _addresses(roster, inputs, secret=secret)
    prefixes, aliases = _by_id(inputs, "prefixes"), _by_id(inputs, "aliases")
    by_id = isinstance(inputs.get("emails"), Mapping)
    _check_known(roster, prefixes, {*entries, *late} if by_id else None if late else entries.keys(), secret=secret)
    email_mapping = inputs.get("email_mapping", emails.PREFIX)
    members, wrong = {}, []
    for id_, email in entries.items():
        try:
            user = emails.internal_email(email, domain, prefix=prefixes.get(id_), email_mapping=email_mapping)
        except InvalidInput as error:
            wrong.append(_unusable(error, names[id_], secret=secret))
        else:
            members[id_] = Member(email, user, aliases.get(id_))
    _raise(roster, wrong)
    found = Declared(roster, members, names, late, secret, by_id=by_id)
    _check_distinct(found)
    return found


def check_takeovers(found: Declared, olds: Mapping[str, Member], same: Mapping[str, str]) -> None:
    """Refuse a member whose user another end user of the roster holds, staying or leaving.

    Args:
        found: the members as they are declared.
        olds: as they were.
        same: by new id, the old one.

    Raises:
        InvalidInput: naming both, with the ways out.
    """
    holders = {old.internal_email: id_ for id_, old in olds.items()}
    lines = []
    for id_, new in found.members.items():
        before = olds.get(same[id_]) if id_ in same else None
        if before is not None and before.internal_email == new.internal_email:
            continue
        holder = holders.get(new.internal_email)
        if before is not None and new.alias == same[id_]:
            lines.append(_moves_away(found, id_, before))
        elif holder is not None and olds[holder].email != new.email:
            lines.append(_taken(found, id_, holder, olds[holder]))
    _raise(found.roster, lines)


def _addresses(
    roster: str, inputs: Mapping[str, Any], *, secret: bool
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """By id, each address normalized and what messages call it; and whose addresses are not known yet."""
    given, late = inputs.get("emails") or [], inputs.get("late_emails") or {}
    by_id = isinstance(given, Mapping)
    entries = given.items() if isinstance(given, Mapping) else ((str(n), email) for n, email in enumerate(given))
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    wrong, unknown = [], []
    for key, plain in entries:
        email = plain if plain is not None else late.get(key)
        if email is None:
            unknown.append(key)
            continue
        name = key if by_id else f"entry {key}"
        try:
            address = str(emails.parse(email))
        except InvalidInput as error:
            problem = "its address cannot be used." if secret else error.problem
            wrong.append(f"{name}: {problem}" if by_id or secret else problem)
            continue
        id_ = key if by_id else address
        found[id_] = address
        names[id_] = name if secret else f"{key} ({address})" if by_id else address
    _raise(roster, wrong, emails.ADVICE)
    return found, names, unknown


def _check_known(roster: str, prefixes: Mapping[str, Any], ids: Collection[str] | None, *, secret: bool) -> None:
    """Refuse a prefix of nobody, which may be a slip of the pen; unless it is not known yet who there is."""
    strange = sorted(prefixes.keys() - ids) if ids is not None else []
    if strange:
        names = f"{len(strange)}" if secret else wording.names(strange)
        raise InvalidInput("prefixes", f"{roster}: prefixes names {names}, not in emails.")


def _unusable(error: InvalidInput, name: str, *, secret: bool) -> str:
    """Why a member has no internal email."""
    if error.property == "email_mapping":  # the same for all
        return str(error)
    return f"{name}: its internal email cannot be used. {error.advice}" if secret else f"{name}: {error}"


def _by_id(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One of the roster's mappings; of a list, by the address in its one spelling."""
    given: Mapping[str, Any] = inputs.get(name) or {}
    by_id = isinstance(inputs.get("emails"), Mapping)
    return {key if by_id else str(emails.normalize(key)): value for key, value in given.items() if value is not None}


def _check_distinct(found: Declared) -> None:
    """Refuse two ids with one address, and two end users with one internal email."""
    of_address: dict[str, str] = {}
    of_user: dict[str, str] = {}
    lines = []
    for id_, member in found.members.items():
        twin, rival = of_address.setdefault(member.email, id_), of_user.setdefault(member.internal_email, id_)
        if twin != id_:
            lines.append(f"{twin} and {id_} are the same address{_of(member.email, found)}. Remove one.")
        elif rival != id_:
            user = _of(member.internal_email, found, " one internal email", " ", "")
            both = f"{found.names[rival]} and {found.names[id_]} both map to{user}"
            lines.append(f'{both}. Set prefixes for one, or email_mapping="subaddress".')
    _raise(found.roster, lines)


def _taken(found: Declared, id_: str, holder: str, old: Member) -> str:
    user = _of(old.internal_email, found, "its user", "", "")
    return (
        f"{found.names[id_]} is new, and {user} is the user of {found.name_of_old(holder, old)}. For the same customer, "
        "set aliases; for another one, set prefixes" + _of(f"{{{id_!r}: ...}}", found, "", "=", "") + "."
    )


def _moves_away(found: Declared, id_: str, before: Member) -> str:
    local = before.internal_email.rpartition("@")[0]
    kept = _of(before.internal_email, found, "its user", "", "")
    return (
        f"{found.names[id_]}: aliases keeps {kept}, but the address maps to another one. Set prefixes"
        + _of(f"{{{id_!r}: {local!r}}}", found, " for it", "=", "")
        + "."
    )


def _of(shown: str, found: Declared, otherwise: str = "", before: str = " (", behind: str = ")") -> str:
    """A part of a sentence that may hold an address, or what stands there when addresses are secret."""
    return otherwise if found.secret else f"{before}{shown}{behind}"


def _raise(roster: str, lines: list[str], advice: str = "") -> None:
    if lines:
        unique = list(dict.fromkeys(lines))
        raise InvalidInput("emails", f"{roster}: {wording.sentences(unique, _SHOWN)}", advice)
