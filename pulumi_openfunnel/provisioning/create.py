"""Create a user, or find its key in the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..api.answers import CreatedUser, believe
from ..api.retries import persist
from ..errors import AnotherEndUser, AnswerNotBelieved, LedgerUnusable, ProvisioningError
from ..ledger.rows import Identity, Row
from ..settings import API_KEY
from . import refusals
from .connections import Caller
from .intent import Intent, Recorded, Unrecorded
from .kept import open_row
from .keys import REVOKED, EndUser, ProvisionedKey
from .ownership import identity_of
from .verify import verify

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

_LOOK = 0.5  # seconds between two looks at what another run does


def provision(caller: Caller, user: EndUser) -> ProvisionedKey:
    """The user with this internal email, and its key: from the ledger, or created.

    Args:
        caller: who asks, where, with which key.
        user: whom for.

    Raises:
        InvalidSetting: when no provisioner key is set; no request was sent.
        LedgerUnusable: when the ledger cannot be written; no request was sent.
        ProvisioningError: one of its subclasses, when the user was not provisioned.
    """
    caller.settings.require_api_key()
    caller.client  # noqa: B018 - made before anything is written down: what cannot be asked leaves no trail
    if caller.settings.ledger is None:
        return _ask(caller, user.internal_email, Unrecorded())
    identity = identity_of(caller, user)
    with _no_request_sent():
        ledger = caller.connections.ledger(caller.settings.ledger)
    while True:
        row, mine = _turn(caller, ledger, identity)
        if mine:
            return _ask(caller, user.internal_email, Recorded(ledger, row, caller.seals[0], caller.operation))
        key = _recall(caller, ledger, row)
        if key is not None:
            return key


def _turn(caller: Caller, ledger: Ledger, identity: Identity) -> tuple[Row, bool]:
    """The ledger's row for a user, once no other run that lives is creating it; and whether it is ours to create."""
    who, operation, waited = identity.internal_email, caller.operation, 0.0
    while True:
        with _no_request_sent():
            row, mine = ledger.begin(identity)
        if not mine and row.identity.email != identity.email:
            raise refusals.another_end_user(identity, row.identity)
        if mine or row.holds_key:
            return row, mine
        if waited >= caller.settings.timeout:
            raise refusals.in_progress(identity)
        if operation.stopping():
            raise refusals.cancelled(who)
        operation.progress(f"{who}: another run is creating this user. Waiting for its answer.")
        operation.wait(_LOOK)
        waited += _LOOK


@contextlib.contextmanager
def _no_request_sent() -> Iterator[None]:
    """A ledger that fails before a request goes out says so."""
    try:
        yield
    except LedgerUnusable as error:
        error.add("No request was sent.")
        raise


def _recall(caller: Caller, ledger: Ledger, row: Row) -> ProvisionedKey | None:
    """The key that the ledger holds, when it may still work; None when it does not."""
    who, operation = row.identity.internal_email, caller.operation
    try:
        created = believe(who, caller.settings.require_api_key(), 200, open_row(row, caller.seals))
    except AnswerNotBelieved as error:
        ledger.doubted(row, error.problem)
        return None
    key = ProvisionedKey(created.id, created.api_key)
    state = verify(caller, key.api_key)
    if state.status == REVOKED:
        ledger.dead(row, "OpenFunnel refused it")
        operation.info(who, "the key in the ledger was revoked, so OpenFunnel is asked for a new one.", key.fingerprint)
        return None
    other = ledger.issued(row, key.fingerprint)
    if other is not None:
        ledger.doubted(row, "its key is another user's")
        raise refusals.shared_key(row.identity, key.fingerprint, other.identity)
    if state.status is None:
        problem = f"but whether it still works is not known. {state.problem}"
        operation.warn(who, f"key taken from the ledger, {problem}", key.fingerprint)
    else:
        operation.info(who, "key taken from the ledger; no new one was requested.", key.fingerprint)
    return key


def _ask(caller: Caller, internal_email: str, intent: Intent) -> ProvisionedKey:
    """Create the user, whatever that takes, and write down how it went."""
    settings, client = caller.settings, caller.client

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
        key = ProvisionedKey(id=created.id, api_key=created.api_key)
        intent.issued(created, key.fingerprint)
    except AnotherEndUser:
        raise
    except AnswerNotBelieved as error:
        raise intent.doubted(error) from None
    except ProvisioningError as error:
        raise intent.left(error) from None
    finally:
        intent.let_go()
    return key
