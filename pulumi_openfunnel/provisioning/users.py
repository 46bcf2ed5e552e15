"""What is done for one user, by the verbs of one resource and of a roster alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from ..errors import InvalidSetting
from ..ledger.turns import Busy
from ..operation import Operation
from .connections import Caller
from .create import provision
from .keys import REVOKED, EndUser, Held, ProvisionedKey
from .ownership import adopt, hold
from .session import Session
from .verify import KeyState, verify


def get_key(session: Session, caller: Caller, user: EndUser, existing_api_key: str | None) -> ProvisionedKey:
    """A user's key: the program's, the ledger's, or OpenFunnel's answer; another run's is waited for.

    Args: see :func:`try_to_get_key`.

    Raises:
        OpenFunnelError: see :func:`create.provision` and :func:`ownership.adopt`.
    """
    until = time.monotonic() + caller.settings.timeout
    while isinstance(key := try_to_get_key(session, caller, user, existing_api_key), Busy):
        wait_for({user.internal_email: key}, caller, until)
    return key


def wait_for(busy: Mapping[str, Busy], caller: Caller, until: float) -> list[str]:
    """Wait for other runs; see :meth:`waiting.Room.wait`."""
    if caller.settings.ledger is None:
        raise AssertionError("without a ledger nobody is seen to be busy")
    return caller.connections.room(caller.settings.ledger).wait(busy, until, caller.operation)


def try_to_get_key(
    session: Session, caller: Caller, user: EndUser, existing_api_key: str | None
) -> ProvisionedKey | Busy:
    """A user's key, or who is creating the user.

    Args:
        session: the operation, which remembers what it brought.
        caller: who asks.
        user: whom for.
        existing_api_key: the key that the program passes, when the user exists.

    Raises:
        OpenFunnelError: see :func:`create.provision` and :func:`ownership.adopt`.
    """
    caller.memory.check(user)
    key = adopt(caller, user, existing_api_key) if existing_api_key is not None else provision(caller, user)
    if isinstance(key, Busy):
        return key
    caller.memory.give(user, key.fingerprint)
    session.created[user.internal_email] = key
    return key


def keep(caller: Caller, held: Held, email: str) -> None:
    """Keep a user and its key for its end user, also under another address.

    Raises:
        OpenFunnelError: when the ledger knows the user as another's; see :func:`ownership.hold`.
    """
    who = held.user.internal_email
    if held.user.email == email:
        return
    if held.key is not None:
        hold(caller, EndUser(email, who), held.key, moved_from=held.user.email)


def warn_of_move(operation: Operation, held: Held, email: str) -> None:
    """Say that the same user stands for another address now."""
    operation.warn(
        held.user.internal_email,
        "now stands for another address: it is the same OpenFunnel user with the same key. For another user, set prefix.",
        f"{held.user.email} became {email}",
    )


def seen(session: Session, held: Held, operation: Operation | None = None) -> Held:
    """A user with its key's status as it is now; unchanged where OpenFunnel did not tell."""
    warn, state = (operation or session.operation).warn, _key_state(session, held)
    who = held.user.internal_email
    if state.status is None:
        warn(who, f"whether its key still works is not known. {state.problem} The state stays as it was.")
        return held
    if state.status == REVOKED:
        warn(
            who,
            "its key was revoked: OpenFunnel refuses it, and accepts the provisioner key. Get a new one from OpenFunnel and "
            "pass it as existing_api_key.",
        )
    return replace(held, status=state.status)


def _key_state(session: Session, held: Held) -> KeyState:
    if held.api_key is None:
        return KeyState(None, "The state holds no key.")
    api_key = held.api_key

    def ask() -> KeyState:
        try:
            return verify(session.caller(held.orchestrator), api_key, gives_up=True)
        except InvalidSetting as error:
            return KeyState(None, str(error))

    return session.key_state(api_key, ask)
