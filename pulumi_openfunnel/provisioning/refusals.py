"""Why a user is refused for the sake of another end user, or of another run. One table of sentences."""

from __future__ import annotations

from ..errors import AnotherEndUser, InProgress, InvalidInput, KeyNotTried, KeyRefused, Stopped
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
    )


def anothers_key(identity: Identity, other: Identity) -> AnotherEndUser:
    """The key to adopt is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"existing_api_key is the key of {other.internal_email} ({other.email}), so it was not stored: a key is never "
        f"given to two end users. Pass the user's own key; or, when both are the same customer, run: {SHOW} forget "
        f"{other.email}.",
    )


def shared_key(identity: Identity, fingerprint: str, other: Identity) -> AnotherEndUser:
    """The key that was answered is another's."""
    return AnotherEndUser(
        identity.internal_email,
        f"its key ({fingerprint}) is the one of {other.internal_email} ({other.email}), so it was not used: a key is never "
        'given to two end users. Set prefix or email_mapping="subaddress"; or, when both are the same customer, run: '
        f"{SHOW} forget {other.email}.",
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
