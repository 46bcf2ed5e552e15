"""What a roster says of users that failed."""

from __future__ import annotations

from pulumi_openfunnel.program.verdict import verdict


def _failed(count: int, reason: str) -> dict[str, str]:
    return {f"user{number:02}@a.com": reason for number in range(count)}


def test_a_line_for_each_reason() -> None:
    """The one that befell most users first; names are capped."""
    failed = _failed(14, "its key is sealed.") | {"bob@b.com": "timed out."}
    names = ", ".join(f"user{number:02}@a.com" for number in range(10))
    assert verdict("team", [f"good{n}@a.com" for n in range(85)], failed) == [
        "team: 85 of 100 users are in the state. 15 failed. Run pulumi up: only these 15 are tried.",
        f"team: 14 failed: {names} and 4 more: its key is sealed.",
        "team: 1 failed: bob@b.com: timed out.",
    ]


def test_one_that_failed() -> None:
    """Is one, and with nobody else in the state that is said."""
    assert verdict("team", [], {"bob@b.com": "timed out."}) == [
        "team: no user is in the state. 1 failed. Run pulumi up: only this one is tried.",
        "team: 1 failed: bob@b.com: timed out.",
    ]


def test_reasons_are_capped() -> None:
    """However many there are, the lines stay few."""
    failed = {f"user{number:02}@a.com": f"reason {number}" for number in range(50)}
    lines = verdict("team", ["good@a.com"], failed)
    assert len(lines) == 22
    assert lines[-1] == "team: 30 failed for 30 more reasons, see the output failed."


def test_a_user_that_failed_to_change_counts_once() -> None:
    """It is in the state as it was before."""
    [first, _] = verdict("team", ["alice@a.com", "bob@b.com"], {"bob@b.com": "timed out."})
    assert first == "team: 2 of 2 users are in the state. 1 failed. Run pulumi up: only this one is tried."


def test_users_that_are_not_all_known_are_not_counted() -> None:
    """As when a targeted update leaves a part of a new roster out."""
    [first, _] = verdict("team", None, {"bob@b.com": "timed out."})
    assert first == "team: 1 failed. Run pulumi up: only this one is tried."
