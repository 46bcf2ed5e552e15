"""Whose key it is: adopted, held for another address, released."""

from __future__ import annotations

from pathlib import Path

from ..ledger.rows import Identity, Status
from . import refusals
from .connections import Caller, Connections
from .kept import as_answer
from .keys import EndUser, ProvisionedKey
from .verify import checked_key


def identity_of(caller: Caller, user: EndUser) -> Identity:
    """What the ledger knows the user by."""
    settings = caller.settings
    return Identity(settings.base_url, settings.user_id.lower(), user.internal_email, user.email)


def check_end_user(caller: Caller, user: EndUser) -> None:
    """Look whether the ledger would refuse a user; write nothing.

    Raises:
        AnotherEndUser: when the internal email stands for another end user.
        LedgerUnusable: when the ledger could not be used.
    """
    if caller.settings.ledger is None:
        return
    ledger = caller.connections.known_ledger(caller.settings.ledger)
    identity = identity_of(caller, user)
    other = ledger.other_end_user(identity) if ledger is not None else None
    if other is not None:
        raise refusals.another_end_user(identity, other.identity)


def adopt(caller: Caller, user: EndUser, api_key: str) -> ProvisionedKey:
    """Take over a user that exists, by its key: nothing is created, and no provisioner key is needed.

    Args:
        caller: where to try the key.
        user: whose key it is; its internal email is the id it gets, because the API cannot tell its own.
        api_key: the user's key.

    Raises:
        InvalidInput: when the key cannot be a user's.
        KeyRefused: when OpenFunnel does not accept it.
        KeyNotTried: when OpenFunnel did not say.
        AnotherEndUser: when the ledger knows the user or the key as another's.
        InProgress: when another run is creating the user.
        LedgerUnusable: when the ledger cannot be written.
    """
    api_key = checked_key(caller.settings, api_key)
    balance = caller.client.balance(api_key)
    if balance.refused:
        raise refusals.key_refused(user.internal_email)
    if not balance.accepted:
        raise refusals.key_not_tried(user.internal_email, balance.problem, balance.status)
    key = ProvisionedKey(id=user.internal_email, api_key=api_key)
    hold(caller, user, key)
    return key


def hold(caller: Caller, user: EndUser, key: ProvisionedKey, moved_from: str | None = None) -> None:
    """Write down whose key it is that the program brought, or that now stands for another address.

    Args:
        caller: the orchestrator.
        user: whose key it is.
        key: its key; without a key to seal it under, it is only looked at whose it is.
        moved_from: the end user's address before, when that is what changed.

    Raises:
        AnotherEndUser, InProgress, LedgerUnusable: see :func:`adopt`.
    """
    if caller.settings.ledger is None:
        return
    identity, ledger = identity_of(caller, user), caller.connections.ledger(caller.settings.ledger)
    if caller.seals:
        seal = caller.seals[0]
        sealed = seal.seal(as_answer(user.internal_email, key), identity.bound)
        other = ledger.adopted(identity, key.fingerprint, sealed, seal.key_id, moved_from)
    else:
        other = ledger.known_elsewhere(identity, key.fingerprint, moved_from)
    if other is None:
        return
    if ledger.is_asked_for(other):
        raise refusals.in_progress(identity)
    if other.identity.internal_email == user.internal_email:
        raise refusals.another_end_user(identity, other.identity)
    if moved_from is None:
        raise refusals.anothers_key(identity, other.identity)
    raise refusals.shared_key(identity, key.fingerprint, other.identity)


def release(
    connections: Connections,
    ledger: Path,
    caller: Caller | None,
    user: EndUser,
    key: ProvisionedKey,
    *,
    revoked: bool,
) -> bool:
    """Keep the key of a user that leaves its stack.

    Args:
        connections: to the ledger.
        ledger: its file.
        caller: the orchestrator; None when it is not known, as at a destroy without settings.
        user: whose key it is.
        key: its key.
        revoked: whether it was seen revoked.

    Returns:
        Whether the ledger holds the key now.

    Raises:
        LedgerUnusable: when it cannot be read or written.
    """
    status = Status.DEAD if revoked else Status.RELEASED
    known = connections.known_ledger(ledger)
    if known is not None and known.released(user.internal_email, user.email, key.fingerprint, status):
        return True
    if caller is None or not caller.seals:
        return False
    identity, seal = identity_of(caller, user), caller.seals[0]
    sealed = seal.seal(as_answer(user.internal_email, key), identity.bound)
    connections.ledger(ledger).keep(identity, key.fingerprint, sealed, seal.key_id, status)
    return True
