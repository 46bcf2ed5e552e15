"""The use cases: provision a user, adopt one, verify a key, release one. No Pulumi in it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..api.answers import CreatedUser, believe
from ..api.retries import persist
from ..errors import (
    AnotherEndUser,
    AnswerNotBelieved,
    InProgress,
    KeyNotTried,
    KeyRefused,
    LedgerUnusable,
    ProvisioningError,
    Stopped,
)
from ..ledger.ledger import Identity, Ledger, Row, Status
from ..ledger.sealing import Seal, seals
from ..operation import SILENT, Operation
from ..settings import API_KEY, Settings
from .connections import client_of, known_ledger, ledger_at, pace_of
from .intent import Intent, Unrecorded, shared_key
from .verify import REVOKED, SHOW, ProvisionedKey, as_answer, checked_key, open_row, verify

_LOOK = 0.5  # seconds between two looks at what another run does


@dataclass(frozen=True)
class EndUser:
    """Whom a user is for, and what it is called.

    Attributes:
        email: the end user's address, normalized.
        internal_email: the user's, at the orchestrator's domain.
    """

    email: str
    internal_email: str


def provision(settings: Settings, user: EndUser, operation: Operation = SILENT) -> ProvisionedKey:
    """The user with this internal email, and its key: from the ledger, or created.

    Args:
        settings: who asks, where, with which key.
        user: whom for.
        operation: who runs this.

    Raises:
        InvalidSetting: when no provisioner key is set; nothing was asked for.
        LedgerUnusable: when the ledger cannot be written; nothing was asked for.
        ProvisioningError: one of its subclasses, when the user was not provisioned.
    """
    settings.require_api_key()
    if settings.ledger is None:
        return _ask(settings, user.internal_email, Unrecorded(), operation)
    identity = _identity(settings, user)
    with _nothing_asked_for():
        ledger = ledger_at(settings.ledger)
    while True:
        row, mine = _turn(ledger, identity, settings.timeout, operation)
        if mine:
            return _ask(settings, user.internal_email, Intent(ledger, row, _seals(settings)[0], operation), operation)
        key = _recall(settings, ledger, row, operation)
        if key is not None:
            return key


def check_end_user(settings: Settings, user: EndUser) -> None:
    """Look whether the ledger would refuse a user; write nothing.

    Raises:
        AnotherEndUser: when the internal email stands for another end user.
        LedgerUnusable: when the ledger could not be used.
    """
    if settings.ledger is None:
        return
    ledger = known_ledger(settings.ledger)
    identity = _identity(settings, user)
    other = ledger.other_end_user(identity) if ledger is not None else None
    if other is not None:
        raise _another_end_user(identity, other)


def adopt(settings: Settings, user: EndUser, api_key: str) -> ProvisionedKey:
    """Take over a user that exists, by its key: nothing is created, and no provisioner key is needed.

    Args:
        settings: where to try the key.
        user: whose key it is; its internal email is the id it gets, because the API cannot tell its own.
        api_key: the user's key.

    Raises:
        InvalidInput: when the key cannot be a user's.
        KeyRefused: when OpenFunnel does not accept it.
        KeyNotTried: when OpenFunnel did not say.
        AnotherEndUser: when the ledger knows the user or the key as another's.
        InProgress: when another run is asking for the user.
        LedgerUnusable: when the ledger cannot be written.
    """
    api_key = checked_key(settings, api_key)
    balance = client_of(settings).balance(api_key)
    if balance.refused:
        raise KeyRefused(
            user.internal_email,
            "OpenFunnel refused existing_api_key (401). Nothing was stored. Pass the user's own key.",
            401,
        )
    if not balance.accepted:
        raise KeyNotTried(
            user.internal_email,
            f"existing_api_key could not be tried: OpenFunnel was asked, but {balance.problem}. Nothing was stored. "
            "Run pulumi up again.",
            balance.status,
        )
    key = ProvisionedKey(id=user.internal_email, api_key=api_key)
    hold(settings, user, key)
    return key


def hold(settings: Settings, user: EndUser, key: ProvisionedKey, moved_from: str | None = None) -> None:
    """Write down whose key it is that the program brought, or that now stands for another address.

    Args:
        settings: the orchestrator's.
        user: whose key it is.
        key: its key; without a key to seal it under, it is only looked at whose it is.
        moved_from: the end user's address before, when that is what changed.

    Raises:
        AnotherEndUser, InProgress, LedgerUnusable: see :func:`adopt`.
    """
    if settings.ledger is None:
        return
    identity, ledger = _identity(settings, user), ledger_at(settings.ledger)
    at_hand = _seals(settings)
    if at_hand:
        sealed = at_hand[0].seal(as_answer(user.internal_email, key), identity.bound)
        other = ledger.adopted(identity, key.fingerprint, sealed, at_hand[0].key_id, moved_from)
    else:
        other = ledger.known_elsewhere(identity, key.fingerprint, moved_from)
    if other is None:
        return
    if ledger.is_asked_for(other):
        raise _in_progress(identity)
    if other.identity.internal_email == user.internal_email:
        raise _another_end_user(identity, other)
    if moved_from is None:
        raise _anothers_key(identity, other)
    raise shared_key(identity, key.fingerprint, other)


def release(ledger: Path, settings: Settings | None, user: EndUser, key: ProvisionedKey, *, revoked: bool) -> bool:
    """Keep the key of a user that leaves its stack.

    Args:
        ledger: its file.
        settings: the orchestrator's; None when they are not known, as at a destroy without them.
        user: whose key it is.
        key: its key.
        revoked: whether it was seen revoked.

    Returns:
        Whether the ledger holds the key now.

    Raises:
        LedgerUnusable: when it cannot be read or written.
    """
    status = Status.DEAD if revoked else Status.RELEASED
    known = known_ledger(ledger)
    if known is not None and known.released(user.internal_email, user.email, key.fingerprint, status):
        return True
    at_hand = _seals(settings) if settings is not None else []
    if settings is None or not at_hand:
        return False
    identity = _identity(settings, user)
    sealed = at_hand[0].seal(as_answer(user.internal_email, key), identity.bound)
    ledger_at(ledger).keep(identity, key.fingerprint, sealed, at_hand[0].key_id, status)
    return True


def _turn(ledger: Ledger, identity: Identity, patience: float, operation: Operation) -> tuple[Row, bool]:
    """The ledger's row for a user, once no other run that lives is asking for it; and whether it is ours to ask for."""
    waited = 0.0
    while True:
        with _nothing_asked_for():
            row, mine = ledger.begin(identity)
        if not mine and row.identity.email != identity.email:
            raise _another_end_user(identity, row)
        if mine or row.holds_key:
            return row, mine
        if waited >= patience:
            raise _in_progress(identity)
        if operation.stopping():
            raise Stopped(
                identity.internal_email, "was not asked for: the operation was cancelled. Run pulumi up again."
            )
        operation.progress(f"{identity.internal_email}: another run is asking for it. Waiting for its answer.")
        operation.wait(_LOOK)
        waited += _LOOK


@contextlib.contextmanager
def _nothing_asked_for() -> Iterator[None]:
    """A ledger that fails before a request goes out says so."""
    try:
        yield
    except LedgerUnusable as error:
        error.add("Nothing was asked for.")
        raise


def _recall(settings: Settings, ledger: Ledger, row: Row, operation: Operation) -> ProvisionedKey | None:
    """The key that the ledger holds, when it may still work; None when it does not."""
    who = row.identity.internal_email
    try:
        created = believe(who, settings.require_api_key(), 200, open_row(row, _seals(settings)))
    except AnswerNotBelieved as error:
        ledger.doubted(row, error.problem)
        return None
    key = ProvisionedKey(created.id, created.api_key)
    state = verify(settings, key.api_key)
    if state.status == REVOKED:
        ledger.dead(row, "OpenFunnel refused it")
        operation.info(f"{who}: the key in the ledger was revoked ({key.fingerprint}), so OpenFunnel is asked for one.")
        return None
    other = ledger.issued(row, key.fingerprint)
    if other is not None:
        ledger.doubted(row, "its key is another user's")
        raise shared_key(row.identity, key.fingerprint, other)
    if state.status is None:
        operation.warn(
            f"{who}: its key came from the ledger, but whether it still works is not known: {state.problem}."
        )
    else:
        operation.info(
            f"{who}: its key came from the ledger ({key.fingerprint}); OpenFunnel was not asked for another."
        )
    return key


def _ask(settings: Settings, internal_email: str, intent: Intent, operation: Operation) -> ProvisionedKey:
    """Create the user, whatever that takes, and write down how it went."""
    client, set_key = client_of(settings), settings.way_out(API_KEY)

    def request(seconds: float) -> CreatedUser:
        intent.sending()
        try:
            return client.create_user(
                internal_email,
                user_id=settings.user_id,
                api_key=settings.require_api_key(),
                set_key=set_key,
                timeout=seconds,
                keep=intent.keep,
            )
        except ProvisioningError as error:
            intent.failed(error)
            raise

    pace = pace_of(settings)
    try:
        created = persist(request, internal_email, timeout=settings.timeout, pace=pace, operation=operation)
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


def _another_end_user(identity: Identity, other: Row) -> AnotherEndUser:
    them = other.identity.email
    return AnotherEndUser(
        identity.internal_email,
        f"the ledger knows it as the user of {them}, whose key OpenFunnel might hand out for {identity.email}. Nothing was "
        f'asked for. Set prefix or email_mapping="subaddress"; or, when both are the same customer, run: {SHOW} forget '
        f"{them}.",
    )


def _anothers_key(identity: Identity, other: Row) -> AnotherEndUser:
    return AnotherEndUser(
        identity.internal_email,
        f"existing_api_key is the key of {other.identity.internal_email} ({other.identity.email}), so it was not stored: a "
        "key is never given to two end users. Pass the user's own key; or, when both are the same customer, run: "
        f"{SHOW} forget {other.identity.email}.",
    )


def _in_progress(identity: Identity) -> InProgress:
    return InProgress(
        identity.internal_email,
        f"another run is asking for it right now. Nothing was asked for. Wait until it ends, or see: {SHOW}.",
    )


def _identity(settings: Settings, user: EndUser) -> Identity:
    return Identity(settings.base_url, settings.user_id.lower(), user.internal_email, user.email)


@functools.lru_cache(maxsize=32)
def _seals(settings: Settings) -> list[Seal]:
    return seals(settings.ledger_key, settings.api_key)
