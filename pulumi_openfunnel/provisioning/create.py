"""Create a user, or find its key in the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..api.answers import CreatedUser
from ..api.retries import persist
from ..errors import AnotherEndUser, AnswerNotBelieved, LedgerUnusable, ProvisioningError
from ..ledger.turns import Asked, Busy, Holds, Taken
from ..settings import API_KEY
from . import refusals
from .connections import Caller
from .intent import BeginAgain, Intent, Recorded, Unrecorded
from .keys import EndUser, ProvisionedKey
from .ownership import identity_of
from .recall import recalled

if TYPE_CHECKING:
    from ..ledger.rules import Ledger


def provision(caller: Caller, user: EndUser) -> ProvisionedKey | Busy:
    """The user with this internal email, and its key: from the ledger, or created.

    Args:
        caller: who asks, where, with which key.
        user: whom for.

    Returns:
        Its key; or who is creating it: then it is to be waited for, and asked for again.

    Raises:
        InvalidSetting: when no provisioner key is set; no request was sent.
        LedgerUnusable: when the ledger cannot be written; no request was sent.
        ProvisioningError: one of its subclasses, when the user was not provisioned.
    """
    caller.settings.require_api_key()
    caller.client  # noqa: B018 - made before anything is written down: what cannot be asked leaves no trail
    if caller.settings.ledger is None:
        return _ask(caller, user, Unrecorded())
    with _no_request_sent():
        ledger = caller.connections.ledger(caller.settings.ledger)
    while True:
        with contextlib.suppress(BeginAgain):
            key = _turn(caller, user, ledger)
            if key is not None:
                return key


def _turn(caller: Caller, user: EndUser, ledger: Ledger) -> ProvisionedKey | Busy | None:
    """What the user's turn brings; None when what the ledger held of it works no more."""
    identity = identity_of(caller, user)
    with _no_request_sent():
        turn: Asked | Holds | Busy | Taken = ledger.begin(identity)
    if isinstance(turn, Taken):
        raise refusals.another_end_user(identity, turn.user)
    if isinstance(turn, Holds):
        return recalled(caller, user, ledger, turn)
    if isinstance(turn, Busy):
        return turn
    return _ask(caller, user, Recorded(ledger, turn, caller.seals[0], caller.operation))


@contextlib.contextmanager
def _no_request_sent() -> Iterator[None]:
    """A ledger that fails before a request goes out says so."""
    try:
        yield
    except LedgerUnusable as error:
        error.add("No request was sent.")
        raise


def _ask(caller: Caller, user: EndUser, intent: Intent) -> ProvisionedKey:
    """Create the user, whatever that takes, and write down how it went."""
    settings, client, internal_email = caller.settings, caller.client, user.internal_email

    def request(seconds: float) -> CreatedUser:
        intent.sending()
        try:
            return client.create_user(
                internal_email,
                user_id=settings.user_id,
                api_key=settings.require_api_key(),
                set_key=settings.way_out(API_KEY),
                timeout=seconds,
                keep=intent.keep,
            )
        except ProvisioningError as error:
            intent.failed(error)
            raise

    pace = caller.connections.pace(settings)
    try:
        created = persist(request, internal_email, timeout=settings.timeout, pace=pace, operation=caller.operation)
        caller.connections.accepted.add(settings)
        key = ProvisionedKey(id=created.id, api_key=created.api_key)
        _check_key(caller, user, key, intent)
        intent.issued(key)
    except AnotherEndUser:
        raise
    except AnswerNotBelieved as error:
        raise intent.doubted(error) from None
    except ProvisioningError as error:
        raise intent.left(error) from None
    finally:
        intent.let_go()
    return key


def _check_key(caller: Caller, user: EndUser, key: ProvisionedKey, intent: Intent) -> None:
    """Refuse a key that somebody else of the stack holds: the engine may have shown who while the answer was awaited."""
    try:
        caller.memory.check_key(user, key.fingerprint)
    except AnotherEndUser as error:
        raise intent.doubted(error) from None
