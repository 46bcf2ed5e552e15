"""Why a user is refused for the sake of another end user, or of another run. One table of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AnotherEndUser, InProgress, InvalidInput, KeyNotTried, KeyRefused, Stopped
from .keys import EndUser

if TYPE_CHECKING:
    from ..ledger.rows import Identity

SHOW = "python -m pulumi_openfunnel ledger"
"""The command that shows the ledger."""

RUN_AGAIN = "Run pulumi up again."


def another_end_user(identity: Identity, other: Identity) -> AnotherEndUser:
    """The internal email stands for another end user."""
    return AnotherEndUser(
        identity.internal_email,
        f"the ledger knows it as the user of {other.email}, whose key OpenFunnel might hand out. No request was sent. "
        f'Set prefix or email_mapping="subaddress"; or, when both are the same customer, run: {SHOW} forget '
        f"{other.email}.",
        f"the ledger knows its internal email as another end user's. No request was sent. See: {SHOW}.",
    )


def anothers_key(identity: Identity, other: Identity) -> AnotherEndUser:
    """The key to adopt is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"existing_api_key is the key of {other.internal_email} ({other.email}), so it was not stored: a key is never "
        f"given to two end users. Pass the user's own key; or, when both are the same customer, run: {SHOW} forget "
        f"{other.email}.",
        f"existing_api_key is another user's key, so it was not stored. Pass the user's own key. See: {SHOW}.",
    )


def shared_key(identity: Identity, fingerprint: str, other: Identity) -> AnotherEndUser:
    """The key that was answered is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"its key ({fingerprint}) is the one of {other.internal_email} ({other.email}), so it was not used: a key is never "
        'given to two end users. Set prefix or email_mapping="subaddress"; or, when both are the same customer, run: '
        f"{SHOW} forget {other.email}.",
        f"its key ({fingerprint}) is another user's, so it was not used. Set prefix. See: {SHOW}.",
    )


def held_by_another(user: EndUser, other: str) -> AnotherEndUser:
    """The stack holds the user for another end user, staying or leaving."""
    return AnotherEndUser(
        user.internal_email,
        f"it is the user of {other} in this stack, and {user.email} would get its key. No key was handed out. For the same "
        f'customer under another name or address, set aliases; for another one, set prefix or email_mapping="subaddress".',
        "its internal email is another end user's in this stack. No key was handed out. For the same customer, set aliases; "
        "for another one, set prefix.",
    )


def declared_twice(user: EndUser, other: str) -> AnotherEndUser:
    """The program declares the user for two end users, as when a transform set a prefix for both."""
    return AnotherEndUser(
        user.internal_email,
        f'{other} and {user.email} both map to it. No key was handed out. Set prefix on one, or email_mapping="subaddress".',
        "it is declared for two end users. No key was handed out. Set prefix on one.",
    )


def given_away(user: EndUser, other: str) -> AnotherEndUser:
    """The user was given to another end user before the engine showed its holder."""
    return AnotherEndUser(
        user.internal_email,
        f"it is the user of {user.email} in this stack, and {other} has just got it: both may have one key. Take {other} out "
        "again, or set prefix for it, and have OpenFunnel replace the key.",
        "it stands for two end users now: both may have one key. Take the new one out again, or set prefix for it, and have "
        "OpenFunnel replace the key.",
    )


def key_for_two(user: EndUser, other: EndUser) -> AnotherEndUser:
    """The program passes one key for two end users."""
    return AnotherEndUser(
        user.internal_email,
        f"existing_api_key of {user.email} is the same key as that of {other.email}. Nothing was stored. Pass each user's own "
        "key.",
        "existing_api_key is the same key as another user's. Nothing was stored. Pass each user's own key.",
    )


def key_of_another(user: EndUser, other: EndUser, fingerprint: str) -> AnotherEndUser:
    """A key that somebody else of the stack holds."""
    return AnotherEndUser(
        user.internal_email,
        f"the key ({fingerprint}) is the one of {other.internal_email} ({other.email}) in this stack, so it was not used: a key "
        "is never given to two end users. For the same customer, set aliases; for another one, set prefix.",
        f"the key ({fingerprint}) is another user's in this stack, so it was not used. For the same customer, set aliases; for "
        "another one, set prefix.",
    )


def in_progress(identity: Identity) -> InProgress:
    """Another run is at it."""
    return InProgress(
        identity.internal_email,
        f"another run is creating this user. No request was sent. Wait until it ends, or see: {SHOW}.",
    )


def cancelled(internal_email: str) -> Stopped:
    """The operation stopped while the user waited for another run."""
    return Stopped(internal_email, f"no request was sent: the operation was cancelled. {RUN_AGAIN}")


def key_refused(internal_email: str) -> KeyRefused:
    """OpenFunnel does not accept the key to adopt."""
    return KeyRefused(
        internal_email, "OpenFunnel refused existing_api_key (401). Nothing was stored. Pass the user's own key.", 401
    )


def key_not_tried(internal_email: str, problem: str | None, status: int | None) -> KeyNotTried:
    """OpenFunnel did not say whether it accepts the key to adopt."""
    return KeyNotTried(
        internal_email,
        f"existing_api_key could not be tried: OpenFunnel was asked, but {problem}. Nothing was stored. {RUN_AGAIN}",
        status,
    )


def anothers_existing_key(old: object, new: object) -> InvalidInput:
    """An unchanged ``existing_api_key`` beside a changed internal email."""
    return InvalidInput(
        "existing_api_key",
        f"existing_api_key is the key of {old} and cannot become that of {new}.",
        "Pass the other user's key, or take the argument away.",
    )
