"""What is looked at before users are created, so that a preview fails where an update would."""

from __future__ import annotations

from ..errors import InvalidSetting
from ..settings import API_KEY, USER_ID, default_ledger
from .connections import Caller
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
    if balance.accepted and balance.credits_left is not None:
        operation.info(None, f"OpenFunnel: {settings.domain} has {balance.credits_left:.10g} credits left.")


def warn_of_ledger(session: Session, caller: Caller) -> None:
    """Say, once, when keys are kept nowhere but in the state, or where they will not last."""
    settings = caller.settings
    if settings.ledger is None:
        text = "a key whose answer is lost on its way into the state, as when pulumi is killed, is lost for good."
        text = f"openfunnel:ledger is off: {text}"
    elif session.environ.get("CI") and settings.ledger == default_ledger():
        text = (
            f"The ledger is at its default place, {settings.ledger}, which is deleted with this CI runner, and so are the "
            "keys that are not in the state yet. Set OPENFUNNEL_LEDGER to a file that lasts."
        )
    else:
        return
    if session.first(("ledger", text)):
        session.operation.warn(None, text)
