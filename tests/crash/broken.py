"""The product, broken on purpose: each variant breaks one promise, so that the checks are seen to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pulumi_openfunnel.ledger import changes
from pulumi_openfunnel.ledger.base import Again, give_up
from pulumi_openfunnel.ledger.documents import Attempt, Identity, User
from pulumi_openfunnel.ledger.opening import ledger_at
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import Asked, Busy, Entry, Holds, Taken
from pulumi_openfunnel.places import Place
from pulumi_openfunnel.provisioning.connections import Connections


class _NoIntent(Ledger):
    """Writes nothing down before the request: the attempt comes with the answer."""

    def begin(self, identity: Identity) -> Asked | Holds | Busy | Taken:
        turn = super().begin(identity)
        if isinstance(turn, Asked):
            self.archive.remove(identity.name)
        return turn

    def answered(self, asked: Asked, body: bytes, seal: Seal, *, whole: bool = True, again: Again = give_up) -> None:
        blank = User(name=asked.identity.name)
        self.archive.change(blank, lambda user: changes.opened(user, asked.identity, asked.made))
        super().answered(asked, body, seal, whole=whole, again=again)


@dataclass(frozen=True)
class _Late:
    asked: Asked
    body: bytes
    seal: Seal
    whole: bool


class _LateAnswer(Ledger):
    """Writes the answer down only once it was parsed and believed."""

    _late: _Late

    def answered(self, asked: Asked, body: bytes, seal: Seal, *, whole: bool = True, again: Again = give_up) -> None:
        del again
        self._late = _Late(asked, body, seal, whole)

    def claim(self, entry: Entry, api_key: str, again: Again = give_up) -> Taken | None:
        if isinstance(entry, Asked):
            late = self._late
            super().answered(late.asked, late.body, late.seal, whole=late.whole, again=again)
        return super().claim(entry, api_key, again)


class _NoLock(Ledger):
    """Takes every other run for dead."""

    def is_busy(self, attempt: Attempt) -> bool:
        return attempt.id in self._mine


class BrokenConnections(Connections):
    """Connections to ledgers that are broken.

    Args:
        kind: how.
    """

    def __init__(self, kind: type[Ledger]) -> None:
        super().__init__()
        self._kind = kind

    def ledger(self, place: Place) -> Ledger:
        return self._once(self._ledgers, place, lambda: self._broken(place))

    def _broken(self, place: Place) -> Ledger:
        sound = ledger_at(place)
        return self._kind(sound.archive.store, sound.owners)


VARIANTS: dict[str | None, Callable[[], Connections]] = {
    None: Connections,
    "no intent": lambda: BrokenConnections(_NoIntent),
    "late answer": lambda: BrokenConnections(_LateAnswer),
    "no lock": lambda: BrokenConnections(_NoLock),
}
