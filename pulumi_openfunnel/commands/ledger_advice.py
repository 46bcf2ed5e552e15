"""What an operator does next about an entry of a ledger. One table of sentences."""

from __future__ import annotations

from ..ledger.documents import Moved
from .ledger_entries import Entry, Fate
from .ledger_keys import OLD_KEY

_UP = "Run pulumi up: if OpenFunnel says that it exists, the error tells how to get its key."


def advice(entry: Entry, command: str) -> str:
    """What to do about an entry.

    Args:
        entry: the entry.
        command: the command that shows this ledger.
    """
    if entry.user_has_key and entry.fate in _PASSED:
        return f"{_PASSED[entry.fate]} The user has its key from another request: there is nothing to do."
    if entry.fate in _BY_ITSELF:
        return _BY_ITSELF[entry.fate]
    if entry.fate in _KEYS:
        comes_back, waits_for_key = _KEYS[entry.fate]
        return f"{waits_for_key} {_needs_old_key(command)}" if entry.needs_old_key else comes_back
    return _with_details(entry)


def advice_elsewhere(moved: Moved) -> str:
    """What to do about an entry of a ledger that answers for nobody."""
    if moved.to and moved.done:
        return f"This ledger was moved. What is true now, the ledger {moved.to} tells."
    return "This ledger is being copied. Run the same ledger copy again."


_PASSED = {
    Fate.LOST: "Its answer was lost.",
    Fate.MISSING: "Its answer is not in the ledger any more.",
    Fate.REFUSED: "Nothing was created by it.",
    Fate.CUT_OFF: "Only a part of its answer came.",
    Fate.UNUSED: "This answer is not used.",
    Fate.STRAY: "This answer is not used: it came for an earlier address.",
}

_BY_ITSELF = {
    Fate.LOST: f"Its answer was lost, so the user may exist. {_UP}",
    Fate.CUT_OFF: f"Only a part of its answer came, so the user may exist. {_UP}",
    Fate.MISSING: "Its answer is not in the ledger any more. As long as its stack holds the key, nothing is lost. Else restore "
    "the ledger from a backup, or pass the user's key as existing_api_key.",
}

_KEYS = {
    Fate.READY: (
        "Its key is safe here and may not be in the state yet. Run pulumi up: it is handed over.",
        "Its key is safe here and may not be in the state yet.",
    ),
    Fate.HELD: (
        "Nothing to do. Should its stack not know the key, pulumi up brings it back from here.",
        "As long as its stack holds the key, nothing is lost. This copy does not come back by itself.",
    ),
    Fate.WAITS: (
        "It left its stack; the user and its key live on. Declared again, it gets this key.",
        "It left its stack; the user and its key live on. Declared again, it does not get this key yet.",
    ),
}
"""What is said of a key that comes back by itself, and of one that needs the old key."""


def _needs_old_key(command: str) -> str:
    return (
        f"It needs the old key: it is sealed under one that is not at hand. With that key, run: {command} rekey. If that key is "
        "lost, pass the user's own key as existing_api_key."
    )


def _with_details(entry: Entry) -> str:
    problem = entry.row.attempt.problem
    if entry.fate is Fate.BUSY:
        return f"Another run{f' ({entry.by})' if entry.by else ''} is creating this user. Wait until it ends."
    if entry.fate is Fate.REFUSED:
        return f"Not created: {problem}" if problem else "Nothing was created. Run pulumi up."
    if entry.fate is Fate.DEAD:
        return (
            f"Its key works no more: {problem}. When the user is needed, get a new key from OpenFunnel and pass it as "
            "existing_api_key."
        )
    if entry.fate is Fate.STRAY:
        problem = f"it came for {entry.row.identity.email}, and the user is {entry.email}'s now"
    with_key = f", with its old key in {OLD_KEY}" if entry.needs_old_key else ""
    return (
        f"This answer is not used: {problem}. Look at it with --show-keys{with_key}: if it holds the user's own key, pass that "
        "as existing_api_key; else ask OpenFunnel."
    )
