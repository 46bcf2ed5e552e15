"""What a shard's properties hold, what an update has to do with them, and what comes of it. No engine, no requests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import contains_unknowns

from ..provisioning.keys import ACTIVE, EndUser, Failed, Held, ProvisionedKey, brings_another_key
from ..provisioning.placement import Member, match
from ..schema import DOCUMENTS, dump, load, pick
from .envelope import secrets


@dataclass(frozen=True)
class Plan:
    """What an update has to do.

    Attributes:
        same: by new id, the old one of the same member.
        missing: new ids whose key has to be got.
        moved: new ids whose user and key stay, for another address.
        renamed: whether a member stays under another id.
        leaves: whether somebody leaves.
    """

    same: Mapping[str, str]
    missing: list[str]
    moved: list[str]
    renamed: bool
    leaves: bool

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.missing or self.moved or self.renamed or self.leaves)


def plan(olds: Mapping[str, Any], news: Mapping[str, Any]) -> Plan:
    """Compare a shard's old outputs, which tell who holds a key, with its new inputs.

    Args:
        olds: old outputs, opened.
        news: new inputs, opened.
    """
    before, wanted = members_of(olds.get("users") or {}), members_of(news["members"] or {})
    same = match(before, wanted)
    keys = news.get("existing_api_keys") or {}
    missing, moved = [], []
    for id_, new in wanted.items():
        old = before[same[id_]] if id_ in same else None
        if (
            old is None
            or old.internal_email != new.internal_email
            or (id_ in keys and brings_another_key(held(same[id_], olds), keys[id_]))
        ):
            missing.append(id_)
        elif old.email != new.email:
            moved.append(id_)
    renamed = any(id_ != old for id_, old in same.items())
    return Plan(same, missing, moved, renamed, leaves=len(same) < len(before))


class Outcome:
    """The outputs of an update, as they come together.

    Args:
        olds: old outputs, opened.
        news: new inputs, opened.
        planned: what had to be done.

    Attributes:
        outs: the outputs, opened, without ``tried``.
        leaving: old ids whose key is to be released.
    """

    def __init__(self, olds: dict[str, Any], news: dict[str, Any], planned: Plan) -> None:
        self._olds = olds
        self._news = news
        self._plan = planned
        self.outs: dict[str, Any] = {"users": {}, "api_keys": {}, "failed": {}} | pick(news, ("roster", "orchestrator"))
        self.leaving = [id_ for id_ in olds.get("users") or {} if id_ not in planned.same.values()]
        for id_ in news["members"]:
            if id_ in planned.same and id_ not in planned.missing:
                self._keep(id_, news["members"][id_]["email"])

    def moved(self, results: Mapping[str, Failed | None]) -> None:
        """Members whose address changed: those that could not be kept for the new one stay as they were."""
        for id_, failed in results.items():
            if failed is not None:
                self._keep(id_, self._old(id_)["email"])
                self.outs["failed"][id_] = f"{failed.reason} The user and key stay with the address before."

    def came(self, results: Mapping[str, ProvisionedKey | Failed]) -> None:
        """Keys that were got, or not."""
        for id_, key in results.items():
            if isinstance(key, ProvisionedKey):
                self._issued(id_, key)
            elif id_ in self._plan.same:
                self._keep(id_, self._old(id_)["email"])
                self.outs["failed"][id_] = f"{key.reason} The user and key that were there before stay."
            else:
                self.outs["failed"][id_] = key.reason

    def stays(self, id_: str, reason: str) -> None:
        """A user that was to leave and whose key could not be released: the state keeps it."""
        shown = id_ if id_ not in self.outs["users"] else f"{id_} before"
        self.outs["users"][shown] = self._olds["users"][id_]
        self.outs["api_keys"][shown] = (self._olds.get("api_keys") or {}).get(id_)
        self.outs["failed"][shown] = reason

    def _issued(self, id_: str, key: ProvisionedKey) -> None:
        member, old_id = self._news["members"][id_], self._plan.same.get(id_)
        self.outs["users"][id_] = {
            "id": key.id,
            "email": member["email"],
            "internal_email": member["internal_email"],
            "key_fingerprint": key.fingerprint,
            "key_status": ACTIVE,
        }
        self.outs["api_keys"][id_] = key.api_key
        if old_id is not None and self._old(id_)["internal_email"] != member["internal_email"]:
            self.leaving.append(old_id)

    def _keep(self, id_: str, email: str) -> None:
        self.outs["users"][id_] = self._old(id_) | {"email": email}
        self.outs["api_keys"][id_] = (self._olds.get("api_keys") or {}).get(self._plan.same[id_])

    def _old(self, id_: str) -> dict[str, Any]:
        old: dict[str, Any] = self._olds["users"][self._plan.same[id_]]
        return old


def members_of(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Member]:
    """By id, the members that a document tells of."""
    return {id_: Member(entry["email"], entry["internal_email"], entry.get("alias")) for id_, entry in entries.items()}


def applied(news: Mapping[str, Any]) -> str:
    """A digest of what an update brings about: inputs with the digest of the last one need no work for each user."""
    given = [news.get("members"), news.get("existing_api_keys"), news.get("orchestrator")]
    return hashlib.sha256(repr(given).encode()).hexdigest()[:32]


def held(id_: str, props: Mapping[str, Any]) -> Held:
    """One user as a shard's outputs hold it."""
    user = props["users"][id_]
    return Held(
        user=EndUser(user["email"], user["internal_email"]),
        id=user["id"],
        api_key=(props.get("api_keys") or {}).get(id_),
        fingerprint=user.get("key_fingerprint"),
        status=user.get("key_status"),
        orchestrator=props.get("orchestrator"),
    )


def shown(id_: str, email: str, props: Mapping[str, Any]) -> str:
    """What messages call a member: its id, unless that is an address that is a secret."""
    return f"a member of {props['roster']}" if props.get("secret") and email == id_ else id_


def opened(props: Mapping[str, Any]) -> dict[str, Any]:
    """A shard's properties with the documents' values; what is unknown stays so."""
    return {name: load(value) if name in DOCUMENTS else value for name, value in props.items()}


def closed(props: Mapping[str, Any]) -> dict[str, Any]:
    """The same, the other way round."""
    return {
        name: dump(value) if name in DOCUMENTS and not contains_unknowns(value) else value
        for name, value in props.items()
    }


def closed_outputs(outs: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
    """A shard's outputs as the state holds them.

    Args:
        outs: opened.
        secret: whether addresses are.
    """
    hidden = secrets(closed(outs), "api_keys")
    return secrets(hidden, "users", "failed", "applied") | {"secret": True} if secret else hidden
