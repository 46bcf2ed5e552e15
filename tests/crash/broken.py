"""The product, broken on purpose: each variant breaks one promise, so that the checks are seen to fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Row

from pulumi_openfunnel.ledger.sqlite import owners
from pulumi_openfunnel.provisioning.connections import Connections


class _NoIntent(Ledger):
    """Writes nothing down before the request: the row comes with the answer."""

    def begin(self, identity: Identity) -> tuple[Row, bool]:
        row, mine = super().begin(identity)
        if mine:
            self.forget([row])
        return row, mine

    def answered(self, row: Row, sealed: bytes, key_id: str) -> None:
        again, _ = super().begin(row.identity)
        if again.id != row.id:
            raise AssertionError("SQLite gives the number of the last row again")
        super().answered(again, sealed, key_id)


class _LateAnswer(Ledger):
    """Writes the answer down only once it was parsed and believed."""

    _late: tuple[Row, bytes, str]

    def answered(self, row: Row, sealed: bytes, key_id: str) -> None:
        self._late = row, sealed, key_id

    def issued(self, row: Row, fingerprint: str) -> Row | None:
        super().answered(*self._late)
        return super().issued(row, fingerprint)


class _NoLock(Ledger):
    """Takes every other run for dead."""

    def is_asked_for(self, row: Row) -> bool:
        with patch.object(owners, "lives", return_value=False):
            return super().is_asked_for(row)


class BrokenConnections(Connections):
    """Connections to ledgers that are broken.

    Args:
        kind: how.
    """

    def __init__(self, kind: type[Ledger]) -> None:
        super().__init__()
        self._kind = kind

    def ledger(self, path: Path) -> Ledger:
        return self._once(self._ledgers, path, lambda: self._kind(path))


VARIANTS: dict[str | None, Callable[[], Connections]] = {
    None: Connections,
    "no intent": lambda: BrokenConnections(_NoIntent),
    "late answer": lambda: BrokenConnections(_LateAnswer),
    "no lock": lambda: BrokenConnections(_NoLock),
}
