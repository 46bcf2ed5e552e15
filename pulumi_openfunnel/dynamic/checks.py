"""What fails of a shard's users before a request is sent for any of them, in one line that names them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pulumi import contains_unknowns

from .. import emails, wording
from ..errors import InvalidInput
from ..provisioning import preflight, verify
from ..provisioning.connections import Caller
from ..provisioning.keys import EndUser
from ..provisioning.ownership import check_end_user
from ..provisioning.session import Session
from ..settings import Settings


def internal_emails(inputs: dict[str, Any], domain: str) -> dict[str, str]:
    """The internal email of each address.

    Raises:
        InvalidInput: naming all that have none.
    """
    prefixes, email_mapping = inputs.get("prefixes") or {}, inputs.get("email_mapping", emails.PREFIX)
    found, wrong = {}, []
    for email in inputs.get("emails") or []:
        try:
            found[email] = emails.internal_email(email, domain, prefix=prefixes.get(email), email_mapping=email_mapping)
        except InvalidInput as error:  # noqa: PERF203 - each is named
            wrong.append(str(error))
    if wrong:
        lines = wording.sentences(list(dict.fromkeys(wrong)), 5)
        raise InvalidInput("emails", f"{inputs['roster']}: {lines}")
    return found


def check_new(session: Session, caller: Caller, olds: dict[str, str], inputs: dict[str, Any]) -> None:
    """Raise what would fail at create for users that are not there yet, as far as it is known."""
    adopted = inputs.get("existing_api_keys") or {}
    if adopted and not contains_unknowns(adopted):
        _check_adopted(caller.settings, inputs["roster"], adopted)
    new = {email: user for email, user in inputs["internal_emails"].items() if olds.get(email) != user}
    for email, internal_email in new.items():
        check_end_user(caller, EndUser(email, internal_email))
    asked_for = (user for email, user in new.items() if contains_unknowns(adopted) or email not in adopted)
    _preflight(session, caller, asked_for)


def check_retried(session: Session, failed: dict[str, str], news: dict[str, Any]) -> None:
    """Raise what would fail for users that failed before, and that check takes for old ones.

    Not in a refresh, which runs with the settings of the last update and is not to fail with them.
    """
    if session.refreshes:
        return
    adopted = news.get("existing_api_keys") or {}
    again = (user for email, user in news["internal_emails"].items() if email in failed and email not in adopted)
    _preflight(session, session.caller(news.get("orchestrator")), again)


def _preflight(session: Session, caller: Caller, internal_emails: Iterable[str]) -> None:
    """Try the provisioner key, if anybody is to be created with it."""
    for who in internal_emails:
        preflight.try_provisioner_key(session, caller, who)
        return


def _check_adopted(settings: Settings, roster: str, adopted: dict[str, Any]) -> None:
    """Raise what makes keys unusable, naming all whose keys they are."""
    wrong: dict[str, list[str]] = {}
    for email, key in adopted.items():
        try:
            verify.checked_key(settings, key)
        except InvalidInput as error:  # noqa: PERF203 - each is named
            wrong.setdefault(str(error), []).append(email)
    if wrong:
        lines = [f"{wording.names(sorted(found))}: {reason}" for reason, found in wrong.items()]
        raise InvalidInput("existing_api_keys", f"{roster}: {wording.sentences(lines)}")
