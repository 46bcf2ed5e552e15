"""What became of a roster: the lines that an update with failed users ends with."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .. import wording

_REASONS = 20  # lines of a verdict


def verdict(name: str, users: Collection[str] | None, failed: Mapping[str, str]) -> list[str]:
    """What became of a roster: a line for each reason, those of most users first.

    Args:
        name: the roster's.
        users: those in the state, also under an internal email or with a key that they were to change for another; None
            when they are not all known.
        failed: by email, why.
    """
    by_reason: dict[str, list[str]] = {}
    for email, reason in sorted(failed.items()):
        by_reason.setdefault(reason, []).append(email)
    state = "no user is in the state. "
    if users is None:
        state = ""
    elif users:
        state = f"{len(users)} of {len(failed.keys() | set(users))} users are in the state. "
    these = f"these {len(failed)} are" if len(failed) > 1 else "this one is"
    lines = [f"{name}: {state}{len(failed)} failed. Run pulumi up: only {these} tried."]
    groups = sorted(by_reason.items(), key=lambda group: len(group[1]), reverse=True)
    for reason, emails in groups[:_REASONS]:
        lines.append(f"{name}: {len(emails)} failed: {wording.names(emails)}: {reason}")
    if more := groups[_REASONS:]:
        users_of_more = sum(len(emails) for _, emails in more)
        lines.append(f"{name}: {users_of_more} failed for {len(more)} more reasons, see the output failed.")
    return lines
