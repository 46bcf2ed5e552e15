"""Whose key it is: adopted, held for another address, released."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..ledger.departures import Leaving
from ..ledger.documents import Identity
from ..ledger.turns import Busy
from ..places import Place
from . import refusals
from .connections import Caller, Connections
from .keys import EndUser, ProvisionedKey
from .verify import checked_key


def identity_of(caller: Caller, user: EndUser) -> Identity:
    """What the ledger knows the user by."""
    settings = caller.settings
    return Identity(settings.base_url, settings.user_id.lower(), user.internal_email, user.email)


def check_end_users(caller: Caller, users: Iterable[EndUser]) -> None:
    """Look whether the ledger would refuse users; write nothing.

    Raises:
        AnotherEndUser: when an internal email stands for another end user.
        LedgerUnusable: when the ledger could not be used.
    """
    if caller.settings.ledger is None:
        return
    ledger = caller.connections.seen_ledger(caller.settings.ledger)
    known = caller.connections.known_users(caller.settings.ledger)
    wanted = [identity for user in users if (identity := identity_of(caller, user)).name in known]
    for identity, taken in (ledger.look(wanted) if wanted else {}).items():
        raise refusals.another_end_user(identity, taken.user)


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
    caller.memory.check_key(user, key.fingerprint)
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
    seal = caller.seals[0] if caller.seals else None
    other = ledger.adopt(identity, key.api_key, as_answer(user.internal_email, key), seal, moved_from)
    if other is None:
        return
    if isinstance(other, Busy):
        raise refusals.in_progress(user.internal_email)
    if other.user.internal_email == user.internal_email:
        raise refusals.another_end_user(identity, other.user)
    if moved_from is None:
        raise refusals.anothers_key(identity, other.user)
    raise refusals.taken_key(identity, key.fingerprint, other.user)


def release(
    connections: Connections,
    ledger: Place,
    caller: Caller | None,
    user: EndUser,
    key: ProvisionedKey,
    *,
    revoked: bool,
) -> bool:
    """Keep the key of a user that leaves its stack.

    Args:
        connections: to the ledger.
        ledger: where it lies.
        caller: the orchestrator; None when it is not known, as at a destroy without settings.
        user: whose key it is.
        key: its key.
        revoked: whether it was seen revoked.

    Returns:
        Whether the ledger holds the key now.

    Raises:
        LedgerUnusable: when it cannot be read or written.
    """
    leaving = Leaving(
        internal_email=user.internal_email,
        email=user.email,
        api_key=key.api_key,
        body=as_answer(user.internal_email, key),
        revoked=revoked,
    )
    if caller is None or not caller.seals:
        return connections.seen_ledger(ledger).release(leaving)
    return connections.ledger(ledger).release(leaving, identity_of(caller, user), caller.seals)


def as_answer(internal_email: str, key: ProvisionedKey) -> bytes:
    """A key that did not come with an answer, as the answer that it might have come with."""
    return json.dumps({"id": key.id, "email": internal_email, "api_key": key.api_key}).encode()
