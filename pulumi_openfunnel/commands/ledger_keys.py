"""The keys that the environment holds, for what is sealed in a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ledger.sealing import Seal, seals
from ..settings import LEDGER_KEY, decoded_ledger_key, ledger_key

API_KEY = "OPENFUNNEL_API_KEY"
OLD_KEY = "OPENFUNNEL_LEDGER_OLD_KEY"
"""The variable that holds a key that answers were sealed under before."""

SET_KEY = (
    f"Set {LEDGER_KEY}, or {API_KEY} to the provisioner key; from a stack's config: "
    f'export {API_KEY}="$(pulumi config get openfunnel:apiKey)".'
)


@dataclass(frozen=True)
class Keys:
    """The keys in the environment.

    Attributes:
        at_hand: those that pulumi up finds there, the one to seal under first.
        old: those that the old key may be.
    """

    at_hand: tuple[Seal, ...]
    old: tuple[Seal, ...]

    @property
    def all(self) -> tuple[Seal, ...]:
        """What an answer may be opened with."""
        return self.at_hand + self.old


def keys_in(environ: Mapping[str, str]) -> Keys:
    """The keys in an environment.

    Raises:
        InvalidSetting: when the ledger's own key is none.
    """
    at_hand = seals(ledger_key(environ), environ.get(API_KEY, "").strip() or None)
    return Keys(tuple(at_hand), seals_of(environ.get(OLD_KEY, "").strip()))


def seals_of(old_key: str) -> tuple[Seal, ...]:
    """What an old key may be: a ledger's own key, or a provisioner key."""
    return tuple(seals(decoded_ledger_key(old_key), old_key or None))
