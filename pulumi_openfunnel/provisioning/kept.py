"""The answers that the ledger keeps, opened and made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..errors import KeySealed
from ..ledger.rows import Row
from ..settings import LEDGER_KEY
from .keys import ProvisionedKey
from .refusals import SHOW

if TYPE_CHECKING:
    from ..ledger.sealing import Seal


def open_row(row: Row, at_hand: list[Seal]) -> bytes:
    """The answer that a row keeps.

    Args:
        row: one that keeps an answer.
        at_hand: the seals to try.

    Raises:
        KeySealed: when it is sealed under another key, or was changed.
    """
    who = row.identity.internal_email
    seal = next((seal for seal in at_hand if seal.key_id == row.key_id), None)
    if seal is None or row.sealed is None:
        raise KeySealed(
            who,
            "its key is in the ledger, but sealed under another key: the provisioner key was rotated, or "
            f"{LEDGER_KEY} changed. No request was sent. With the old key, run: {SHOW} rekey. Without it, see: {SHOW} "
            "forget --help.",
        )
    answer = seal.open(row.sealed, row.identity.bound)
    if answer is None:
        raise KeySealed(
            who,
            "its answer in the ledger was changed after it was sealed, so it does not open. No request was sent. Restore "
            f"the ledger from a backup, or see: {SHOW} forget --help.",
        )
    return answer


def as_answer(internal_email: str, key: ProvisionedKey) -> bytes:
    """A key that did not come with an answer, as the answer that it might have come with."""
    return json.dumps({"id": key.id, "email": internal_email, "api_key": key.api_key}).encode()
