"""Whether a key can be a user's, and whether it still works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InvalidInput
from ..settings import Settings, is_key
from .connections import Caller
from .keys import ACTIVE, REVOKED

if TYPE_CHECKING:
    from ..api.client import Balance

_GIVE_THE_USERS = "Pass the user's own key."


@dataclass(frozen=True)
class KeyState:
    """What is known of a user's key.

    Attributes:
        status: ``"active"`` or ``"revoked"``; None when OpenFunnel did not tell.
        problem: the sentence that says what OpenFunnel did instead; None when it told.
    """

    status: str | None
    problem: str | None = None


def checked_key(settings: Settings, api_key: object) -> str:
    """A key to adopt, stripped.

    Raises:
        InvalidInput: when it cannot be a user's key. The message does not show it.
    """
    key = api_key.strip() if isinstance(api_key, str) else ""
    problem = None
    if not is_key(key):
        problem = "empty, or holds a space, a line break or another character no key has."
    elif key == settings.api_key:
        problem = "this is the provisioner key, which would give an end user your account."
    if problem is not None:
        raise InvalidInput("existing_api_key", f"existing_api_key: {problem}", _GIVE_THE_USERS)
    return key


def verify(caller: Caller, api_key: str, *, gives_up: bool = False) -> KeyState:
    """Whether a user's key still works, by trying it.

    It is revoked only when OpenFunnel refuses it and accepts the provisioner key at the same moment: an outage,
    a proxy's login page or a rotated provisioner key say nothing of the user.

    Args:
        caller: where to ask, and the provisioner key to compare with.
        api_key: the user's key.
        gives_up: ask nothing once many keys were tried and OpenFunnel answered nobody for a while.
    """
    outage = caller.connections.outage(caller.settings)
    if gives_up and outage.lasts:
        return KeyState(None, "OpenFunnel has not answered anybody for a while, so it was not asked.")
    balance = caller.client.balance(api_key)
    if balance.status is None:
        outage.failed()
    else:
        outage.answered()
    if balance.accepted:
        return KeyState(ACTIVE)
    if not balance.refused:
        return KeyState(None, f"OpenFunnel was asked, but {balance.problem}.")
    provisioner_key = caller.settings.api_key
    if provisioner_key is None:
        return KeyState(None, "OpenFunnel refused the key, and there is no provisioner key to compare with.")
    if not caller.client.balance(provisioner_key).accepted:
        return KeyState(None, "OpenFunnel refused the key, but does not accept the provisioner key either.")
    return KeyState(REVOKED)


def preflight(caller: Caller) -> Balance:
    """What the balance endpoint says of the provisioner key.

    Raises:
        InvalidSetting: when none is set.
    """
    return caller.client.balance(caller.settings.require_api_key())
