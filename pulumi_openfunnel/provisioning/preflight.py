"""What is looked at before users are created, so that a preview fails where an update would."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidSetting, LedgerUnusable
from ..ledger_urls import beside_state
from ..places import FilePlace
from ..settings import API_KEY, USER_ID
from .connections import Caller
from .keys import EndUser
from .ownership import check_end_users
from .session import Session
from .verify import preflight


def try_provisioner_key(session: Session, caller: Caller, who: str) -> None:
    """Before the first create with some credentials, try their key; once an operation.

    Args:
        session: the operation.
        caller: whose key.
        who: the user that is going to be created, or what stands for one that is not known yet.

    Raises:
        InvalidSetting: when OpenFunnel refuses the key.
    """
    settings, operation = caller.settings, caller.operation
    if not session.first(("provisioner key", settings)):
        return
    try:
        balance = preflight(caller)
    except InvalidSetting as missing:
        operation.warn(who, f"can be previewed, but not created: {missing}")
        return
    if balance.refused:
        raise InvalidSetting(
            API_KEY, f"OpenFunnel refused the provisioner key of {settings.user_id} (401). {settings.way_out(API_KEY)}"
        )
    if balance.status == 403:
        operation.warn(
            who,
            f"may not be created: OpenFunnel answered 403 to the provisioner key of {settings.user_id}. Ask OpenFunnel to "
            f"enable is_provisioner on it. {settings.way_out(USER_ID)}",
        )
    if balance.status is None:
        operation.warn(
            who,
            f"may not be created: the provisioner key was to be tried at {settings.base_url}, but {balance.problem}.",
        )
    if balance.accepted and balance.credits_left is not None:
        operation.info(None, f"OpenFunnel accepts the provisioner key: {balance.credits_left:.10g} credits left.")


def look_into_ledger(session: Session, caller: Caller, users: Iterable[EndUser]) -> None:
    """Look whether the ledger would refuse users, and say where it will not last.

    A shared ledger that cannot be read is one line: a preview, as of a pull request, may have no access to it. A file that
    cannot be used is an error.

    Raises:
        AnotherEndUser: when an internal email stands for another end user.
        LedgerUnusable: when the file cannot be used.
    """
    warn_of_ledger(session, caller)
    try:
        check_end_users(caller, users)
    except LedgerUnusable as error:
        if caller.settings.ledger is None or isinstance(caller.settings.ledger, FilePlace):
            raise
        if session.first(("no look", caller.settings.ledger)):
            session.operation.warn(None, f"{error} A preview goes on without it; an update creates nobody.")


def warn_of_ledger(session: Session, caller: Caller) -> None:
    """Say, once, when keys are kept nowhere but in the state, or where they will not last."""
    ledger = caller.settings.ledger
    if ledger is None:
        text = "a key whose answer is lost on its way into the state, as when pulumi is killed, is lost for good."
        text = f"openfunnel:ledger is off: {text}"
    elif session.environ.get("CI") and isinstance(ledger, FilePlace) and ledger.default:
        text = (
            f"The ledger is at its default place, {ledger}, which is deleted with this CI runner, and so are the keys that are "
            f"not in the state yet. {_lasting(session)}"
        )
    else:
        return
    if session.first(("ledger", text)):
        session.operation.warn(None, text)


def _lasting(session: Session) -> str:
    """How to put the ledger where it lasts: beside Pulumi's state, if that is a bucket or a database."""
    url = beside_state(session.environ.get("PULUMI_BACKEND_URL"))
    if url is None:
        return "Set OPENFUNNEL_LEDGER to a bucket, to PostgreSQL, or to a file that lasts."
    secret = "--secret " if url.startswith('"') else ""
    return f"Run: pulumi config set {secret}openfunnel:ledger {url} (or set OPENFUNNEL_LEDGER to it)."
