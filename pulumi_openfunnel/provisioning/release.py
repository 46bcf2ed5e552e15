"""A user leaves its stack: its key is kept, and a warning says that the user lives on."""

from __future__ import annotations

from ..errors import InvalidSetting
from ..operation import Operation
from ..places import Place
from .connections import Caller
from .keys import Held
from .ownership import release
from .session import Session

_TWO_HOLDERS = (
    "was removed from the stack for one end user and got for another one, with the same key: both hold it now. Take the new one "
    "out again, or set prefix for it, and have OpenFunnel replace the key."
)
_ADVICE = "To disable the user, ask OpenFunnel."


def let_go(session: Session, held: Held, operation: Operation | None = None) -> None:
    """Release a user's key into the ledger, and say what was not deleted: the API cannot delete.

    Args:
        session: the operation. Within one update all creates come before all deletes.
        held: the user, as the state holds it.
        operation: what shows the warning, when it is not the whole operation.

    Raises:
        LedgerUnusable: when the ledger cannot be written, so that the state had better keep the key.
    """
    who = held.user.internal_email
    new, given_to = session.created.get(who), session.memory.given_to(who)
    warn = (operation or session.operation).warn
    if new is not None and new.fingerprint == held.fingerprint:
        if given_to != held.user.email and not new.recalled:  # the ledger knows whose it is, also by another address
            warn(who, _TWO_HOLDERS, f"{held.user.email} and {given_to}")
        return  # another resource of the stack stands for the same user now, with the same key
    kept = _kept(session, held)
    if new is not None:
        second = f"existed already and got a second key: the stack now holds {new.fingerprint} in place of {held.fingerprint}"
        warn(who, f"{second} (fingerprints). Whether the first key still works, ask OpenFunnel.")
        return
    lives = "The user lives on; its key was revoked before." if held.is_revoked else "User and key live on."
    warn(who, f"removed from the stack only: OpenFunnel's API cannot delete users. {lives} {kept} {_ADVICE}")


def _kept(session: Session, held: Held) -> str:
    """Keep the key; the sentence that says where it is."""
    try:
        ledger = session.ledger_place()
    except InvalidSetting as error:
        return f"The key is gone from here: {error}"
    key = held.key
    if ledger is None or key is None:
        return "No ledger keeps the key."
    if not release(session.connections, ledger, _caller(session, held), held.user, key, revoked=held.is_revoked):
        return (
            "The ledger did not hold the key, and without openfunnel:apiKey and openfunnel:userId it was not put there."
        )
    return _waits(ledger, held)


def _waits(ledger: Place, held: Held) -> str:
    if held.is_revoked:
        return f"The ledger, {ledger}, keeps the key as a dead one."
    return f"The key waits in the ledger, {ledger}: the same user, declared again, gets it back."


def _caller(session: Session, held: Held) -> Caller | None:
    """The orchestrator, when its settings are there."""
    try:
        return session.caller(held.orchestrator)
    except InvalidSetting:
        return None
