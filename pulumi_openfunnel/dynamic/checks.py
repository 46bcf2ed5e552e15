"""What is known to fail of a shard's users before any of them is asked for, in one line that names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi import contains_unknowns

from .. import wording
from ..errors import InvalidInput
from . import session as stack

if TYPE_CHECKING:
    from ..settings import Settings


def internal_emails(inputs: dict[str, Any], domain: str) -> dict[str, str]:
    """The internal email of each address.

    Raises:
        InvalidInput: naming all that have none.
    """
    from .. import emails as mapping

    prefixes, email_mapping = inputs.get("prefixes") or {}, inputs.get("email_mapping", mapping.PREFIX)
    found, wrong = {}, []
    for email in inputs.get("emails") or []:
        try:
            found[email] = mapping.internal_email(
                email, domain, prefix=prefixes.get(email), email_mapping=email_mapping
            )
        except InvalidInput as error:  # noqa: PERF203 - each is told of
            wrong.append(str(error))
    if wrong:
        raise InvalidInput("emails", f"{inputs['roster']}: {wording.sentences(list(dict.fromkeys(wrong)), 5)}")
    return found


def check_new(settings: Settings, olds: dict[str, str], inputs: dict[str, Any]) -> None:
    """Raise what would fail at create for users that are not there yet, as far as it is known."""
    adopted = inputs.get("existing_api_keys") or {}
    if adopted and not contains_unknowns(adopted):
        _check_adopted(settings, inputs["roster"], adopted)
    new = {email: user for email, user in inputs["internal_emails"].items() if olds.get(email) != user}
    if not new:
        return  # a preview of nothing new need not load what makes requests
    for email, internal_email in new.items():
        stack.check_ledger(settings, {"email": email, "internal_email": internal_email})
    asked_for = [user for email, user in new.items() if contains_unknowns(adopted) or email not in adopted]
    if asked_for:
        stack.preflight(settings, asked_for[0])


def check_retried(failed: dict[str, str], news: dict[str, Any]) -> None:
    """Raise what would fail for users that failed before, and that check takes for old ones.

    Not in a refresh, which runs with the settings of the last update and is not to fail with them.
    """
    asked_for = failed.keys() - (news.get("existing_api_keys") or {}).keys()
    again = [user for email, user in news["internal_emails"].items() if email in asked_for]
    if again and not stack.refreshes:
        stack.preflight(stack.settings_of(news), again[0])


def _check_adopted(settings: Settings, roster: str, adopted: dict[str, Any]) -> None:
    """Raise what makes keys unusable, naming all whose keys they are."""
    from ..provisioning import verify as keys

    wrong: dict[str, list[str]] = {}
    for email, key in adopted.items():
        try:
            keys.checked_key(settings, key)
        except InvalidInput as error:  # noqa: PERF203 - each is told of
            wrong.setdefault(str(error), []).append(email)
    if wrong:
        lines = [f"{wording.names(sorted(emails))}: {reason}" for reason, emails in wrong.items()]
        raise InvalidInput("existing_api_keys", f"{roster}: {wording.sentences(lines)}")
