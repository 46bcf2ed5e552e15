"""Why a user is refused for the sake of another end user, or of another run. One table of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import (
    AnotherEndUser,
    InProgress,
    InvalidInput,
    KeyNotTried,
    KeyRefused,
    KeySealed,
    Stopped,
    UserExists,
)
from ..settings import LEDGER_KEY
from .keys import EndUser

if TYPE_CHECKING:
    from ..ledger.documents import Identity, User

SHOW = "python -m pulumi_openfunnel ledger"
"""The command that shows the ledger."""

RUN_AGAIN = "Run pulumi up again."


def another_end_user(identity: Identity, other: User) -> AnotherEndUser:
    """The internal email stands for another end user."""
    return AnotherEndUser(
        identity.internal_email,
        f"the ledger knows it as the user of {other.email}, whose key OpenFunnel might hand out. No request was sent. For the "
        "same customer: if this stack holds it under another resource name or id, set aliases; else run: "
        f'{SHOW} reassign {other.email} {identity.email}. For another customer, set prefix or email_mapping="subaddress".',
        f"the ledger knows its internal email as another end user's. No request was sent. For the same customer, set aliases; "
        f"for another one, set prefix. See: {SHOW}.",
    )


def anothers_key(identity: Identity, other: User) -> AnotherEndUser:
    """The key to adopt is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"existing_api_key is the key of {other.internal_email} ({other.email}), so it was not stored: a key is never "
        "given to two end users. Pass the user's own key.",
        f"existing_api_key is another user's key, so it was not stored. Pass the user's own key. See: {SHOW}.",
    )


def taken_key(identity: Identity, fingerprint: str, other: User) -> AnotherEndUser:
    """The key that was answered, or found, is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"its key ({fingerprint}) is the one of {other.internal_email} ({other.email}), so it was not used: a key is never "
        'given to two end users. Set prefix or email_mapping="subaddress".',
        f"its key ({fingerprint}) is another user's, so it was not used. Set prefix. See: {SHOW}.",
    )


def sealed_under_another(internal_email: str) -> KeySealed:
    """The key that an answer is sealed under is not at hand."""
    return KeySealed(
        internal_email,
        "its key is in the ledger, but sealed under another key: the provisioner key was rotated, or "
        f"{LEDGER_KEY} changed. No request was sent. With the old key, run: {SHOW} rekey. If the old key is lost, pass the user's "
        "key as existing_api_key.",
    )


def changed_after_sealing(internal_email: str) -> KeySealed:
    """An answer does not open with the key that it says."""
    return KeySealed(
        internal_email,
        "its answer in the ledger was changed after it was sealed, so it does not open. No request was sent. Restore the ledger "
        "from a backup, or pass the user's key as existing_api_key.",
    )


def probably_ours(error: UserExists, *, earlier: bool, kept: bool) -> UserExists:
    """The user exists, and a request whose answer was lost probably created it.

    Args:
        error: what OpenFunnel said.
        earlier: whether the request was an earlier run's.
        kept: whether an answer is kept that could not be used.
    """
    run = "an earlier run" if earlier else "this run"
    what = f"What came of its answer is kept, sealed: {SHOW} --show-keys. " if kept else ""
    return UserExists(
        error.who,
        f"exists already ({error.status}). A request of {run}, whose answer was lost, probably created it. {what}To get its key, "
        "sign up at OpenFunnel again with its internal email, which answers with the key, or ask OpenFunnel; then pass it as "
        "existing_api_key.",
        error.status,
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


def in_progress(internal_email: str) -> InProgress:
    """Another run is at it."""
    return InProgress(
        internal_email,
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
