"""The product, broken on purpose: each variant breaks one promise, so that the checks are seen to fail."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from pulumi_openfunnel.ledger.ledger import Identity, Ledger, Row
from pulumi_openfunnel.ledger.sqlite import owners as runs
from pulumi_openfunnel.provisioning import connections as shared


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


def _without_intents() -> None:
    patch.object(shared, "Ledger", _NoIntent).start()


def _with_late_answers() -> None:
    patch.object(shared, "Ledger", _LateAnswer).start()


def _without_locks() -> None:
    """Take every other run for dead."""
    patch.object(runs, "lives", return_value=False).start()


VARIANTS: dict[str, Callable[[], None]] = {
    "no intent": _without_intents,
    "late answer": _with_late_answers,
    "no lock": _without_locks,
}
