"""The key that the ledger holds, tried before it is handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..api.answers import CreatedUser, believe
from ..errors import AnswerNotBelieved, ProvisioningError
from . import refusals
from .connections import Caller
from .keys import REVOKED, EndUser, ProvisionedKey
from .verify import KeyState, verify

if TYPE_CHECKING:
    from ..ledger.rules import Ledger
    from ..ledger.turns import Holds, Kept


def recalled(caller: Caller, user: EndUser, ledger: Ledger, holds: Holds) -> ProvisionedKey | None:
    """The newest of a user's keys that may still work; None when none does.

    Args:
        caller: who asks.
        user: whom for.
        ledger: where the answers are kept.
        holds: the answers.

    Raises:
        KeySealed: when one is sealed under a key that is not at hand, and none is that opens.
        AnotherEndUser: when the key is another's.
    """
    sealed: ProvisioningError | None = None
    for kept in holds.kept:
        body = kept.opened(caller.seals)
        if body is None:
            sealed = sealed or _sealed(caller, kept)
            continue
        created = _believed(caller, ledger, kept, body)
        key = _tried(caller, user, ledger, kept, created) if created is not None else None
        if key is not None:
            return key
    if sealed is not None:
        raise sealed
    return None


def _sealed(caller: Caller, kept: Kept) -> ProvisioningError:
    at_hand = [seal.key_id for seal in caller.seals]
    if kept.answer.key_id in at_hand:
        return refusals.changed_after_sealing(kept.identity.internal_email)
    return refusals.sealed_under_another(kept.identity.internal_email)


def _believed(caller: Caller, ledger: Ledger, kept: Kept, body: bytes) -> CreatedUser | None:
    try:
        return believe(kept.identity.internal_email, caller.settings.require_api_key(), 200, body)
    except AnswerNotBelieved as error:
        ledger.doubt(kept, error.problem)
        return None


def _tried(caller: Caller, user: EndUser, ledger: Ledger, kept: Kept, created: CreatedUser) -> ProvisionedKey | None:
    """The key, when it may still work; it becomes the user's before it is handed out."""
    key = ProvisionedKey(created.id, created.api_key, recalled=True)
    state = KeyState(REVOKED) if kept.is_dead(key.api_key) else verify(caller, key.api_key)
    who, operation = user.internal_email, caller.operation
    if state.status == REVOKED:
        ledger.bury(kept, key.api_key, "OpenFunnel refused it")
        operation.info(who, "the key in the ledger was revoked, so OpenFunnel is asked for a new one.", key.fingerprint)
        return None
    caller.memory.check_key(user, key.fingerprint)
    taken = ledger.claim(kept, key.api_key)
    if taken is not None:
        ledger.doubt(kept, "its key is another user's")
        raise refusals.taken_key(kept.identity, key.fingerprint, taken.user)
    if state.status is None:
        problem = f"but whether it still works is not known. {state.problem}"
        operation.warn(who, f"key taken from the ledger, {problem}", key.fingerprint)
    else:
        operation.info(who, "key taken from the ledger; no new one was requested.", key.fingerprint)
    return key
