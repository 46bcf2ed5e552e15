"""What fails of a shard's members before a request is sent for any of them, in one line that names them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import contains_unknowns

from .. import wording
from ..errors import AnotherEndUser, InvalidInput
from ..operation import Operation
from ..provisioning import preflight, verify
from ..provisioning.changes import changes
from ..provisioning.connections import Caller
from ..provisioning.keys import EndUser, fingerprint
from ..provisioning.placement import match
from ..provisioning.session import Session
from .shard_state import members_of


def check_new(session: Session, olds: Mapping[str, Any], news: Mapping[str, Any], operation: Operation) -> None:
    """Raise what would fail at create for members that are not there yet, as far as it is known.

    Args:
        session: the operation.
        olds: the old inputs, opened.
        news: the new ones.
        operation: what shows warnings of many users.
    """
    caller = session.caller(news.get("orchestrator"), operation)
    adopted = news.get("existing_api_keys") or {}
    if adopted and not contains_unknowns(adopted):
        _check_adopted(caller, news, adopted)
    before, wanted = members_of(olds.get("members") or {}), members_of(news["members"])
    new = changes(before, wanted, match(before, wanted)).added
    users = [EndUser(member.email, member.internal_email) for member in new.values()]
    preflight.look_into_ledger(session, caller, users)
    _try_provisioner_key(
        session, news, [id_ for id_ in new if contains_unknowns(adopted) or id_ not in adopted], operation
    )


def check_retried(session: Session, news: Mapping[str, Any], ids: Sequence[str], operation: Operation) -> None:
    """Raise what would fail for members that failed before, and that check takes for old ones."""
    adopted = news.get("existing_api_keys") or {}
    _try_provisioner_key(session, news, [id_ for id_ in ids if id_ not in adopted], operation)


def _try_provisioner_key(session: Session, news: Mapping[str, Any], ids: Sequence[str], operation: Operation) -> None:
    """Try the provisioner key, if anybody is to be created with it."""
    if ids:
        caller = session.caller(news.get("orchestrator"), operation)
        who = news["roster"] if news.get("secret") else news["members"][ids[0]]["internal_email"]
        preflight.try_provisioner_key(session, caller, who)


def _check_adopted(caller: Caller, news: Mapping[str, Any], adopted: Mapping[str, Any]) -> None:
    """Raise what makes keys unusable, naming all whose keys they are."""
    wrong: dict[str, list[str]] = {}
    hidden = bool(news.get("secret"))
    for id_, given in adopted.items():
        try:
            _declare_key(caller, news["members"].get(id_), given)
        except InvalidInput as error:
            wrong.setdefault(str(error), []).append(id_)
        except AnotherEndUser as error:
            wrong.setdefault(error.nameless if hidden else error.reason, []).append(id_)
    if wrong:
        lines = [f"{_names(ids, hidden=hidden)}: {reason}" for reason, ids in wrong.items()]
        raise InvalidInput("existing_api_keys", f"{news['roster']}: {wording.sentences(lines)}")


def _declare_key(caller: Caller, member: Mapping[str, Any] | None, given: object) -> None:
    key = verify.checked_key(caller.settings, given)
    if member is not None:
        user = EndUser(member["email"], member["internal_email"])
        caller.memory.declare_key(user, fingerprint(key))


def _names(ids: list[str], *, hidden: bool) -> str:
    return f"{len(ids)} of existing_api_keys" if hidden else wording.names(sorted(ids))
