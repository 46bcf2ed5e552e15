"""A ledger, the processes that use it and die, and what Pulumi's stacks hold: for the state machine."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from pulumi_openfunnel import __main__
from pulumi_openfunnel.commands.ledger import OLD_KEY
from pulumi_openfunnel.errors import ProvisioningError
from pulumi_openfunnel.ledger import turns
from pulumi_openfunnel.ledger.base import Again, give_up
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal, seals
from pulumi_openfunnel.ledger.sqlite.owners import FlockOwners
from pulumi_openfunnel.ledger.sqlite.store import SqliteStore
from pulumi_openfunnel.ledger.turns import Asked, Busy, Holds, Taken
from pulumi_openfunnel.operation import SILENT, Operation
from pulumi_openfunnel.places import FilePlace, Place
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import _ask
from pulumi_openfunnel.provisioning.intent import Recorded
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.settings import LEDGER_KEY, Settings
from pulumi_openfunnel.simulator import Account, Entry

from .core import Kept, OpenFunnel, kept_in_copy

CRASHES = ("begun", "dropped", "unkept", "kept", "issued", "unstated")
"""Where a create dies: its attempt written; its first request lost, and a second one to be sent; an answer read, and not
kept; kept, and not believed; its key claimed; handed over, and not in the state."""


class Died(BaseException):
    """The process is no more: nothing in it may catch this."""


class MortalLedger(Ledger):
    """A ledger whose process dies at a named point, as a thrown exception: what is on the disk stays.

    Args:
        path: its file.
    """

    dies: str | None = None

    def __init__(self, path: Path) -> None:
        self._file = SqliteStore(path)
        self._runs = FlockOwners(path)
        self._requests = 0  # of the attempt that was begun last
        super().__init__(self._file, self._runs)

    def die(self) -> None:
        """Let go of what a dead process holds, as the system does; its lock's file stays."""
        self._file.close()
        if self._runs._run is not None:
            os.close(self._runs._run._descriptor)

    def writes(self, path: Path) -> bool:
        """Whether it can write: the file that it has open was not replaced or lost."""
        return path.exists() and os.path.samestat(self._file._file, path.stat())

    def begin(self, identity: Identity) -> Asked | Holds | Busy | Taken:
        turn = super().begin(identity)
        self._requests = 0
        self._die_at("begun", reached=isinstance(turn, Asked))
        return turn

    def sending(self, asked: Asked) -> bool:
        self._requests += 1
        self._die_at("dropped", reached=self._requests > 1)
        return super().sending(asked)

    def answered(self, asked: Asked, body: bytes, seal: Seal, *, whole: bool = True, again: Again = give_up) -> None:
        self._die_at("unkept")
        super().answered(asked, body, seal, whole=whole, again=again)
        self._die_at("kept")

    def claim(self, entry: turns.Entry, api_key: str, again: Again = give_up) -> Taken | None:
        taken = super().claim(entry, api_key, again)
        self._die_at("issued")
        return taken

    def _die_at(self, point: str, *, reached: bool = True) -> None:
        if reached and self.dies == point:
            raise Died(point)


class MortalConnections(Connections):
    """Connections of a process that may die: its ledgers are as mortal."""

    def ledger(self, place: Place) -> MortalLedger:
        ledger = self._once(self._ledgers, place, lambda: self._mortal(place))
        if not isinstance(ledger, MortalLedger):
            raise TypeError("nobody else makes one")
        return ledger

    def die(self, place: Place) -> None:
        """The ledger's process dies; the next one opens it anew."""
        self.ledger(place).die()
        del self._ledgers[place]
        self._rooms.pop(place, None)

    @staticmethod
    def _mortal(place: Place) -> MortalLedger:
        if not isinstance(place, FilePlace):
            raise TypeError("the worlds' ledgers are files")
        return MortalLedger(place.path)


@dataclass(frozen=True)
class Held:
    """A resource of a stack: whose user it is, and its key, which ``repr`` does not show."""

    user: EndUser
    key: ProvisionedKey = field(repr=False)


@dataclass
class Orphan:
    """Another process whose engine was killed: it lives, and waits for an answer that no state gets."""

    ledger: MortalLedger
    asked: Asked
    settings: Settings
    user: EndUser


class World:
    """Everything that lasts, and who works on it. The ledger's file may be lost or put back, so that excuses are kept.

    Args:
        api: the server; the world is a new customer of it.
        directory: where it may have one for its ledger.
        connections: of its processes; worlds that come one after the other share them, and so the client.

    Attributes:
        settings: as the stacks' configuration has them now.
        stacks: the resources of each stack by name.
        orphan: at most one.
        excuses: how often a user may have been created once more, by internal email, for a reason that nobody can help.
        gone: how many keys nobody could have kept.
    """

    def __init__(self, api: OpenFunnel, directory: Path, connections: MortalConnections) -> None:
        self.api = api
        self._connections = connections
        customer = api.customer()
        directory = directory / customer.domain
        self.path = directory / "ledger.db"
        self.place = FilePlace(self.path)
        self.settings = Settings(
            customer.email, customer.domain, api.base_url, customer.api_key, timeout=20, ledger=self.place
        )
        self.stacks: dict[str, dict[str, Held]] = {"dev": {}, "prod": {}}
        self.orphan: Orphan | None = None
        self.excuses: Counter[str] = Counter()
        self.gone = 0
        self._secrets = [self._secret]
        self._aside = directory / "aside"
        self._backup: bytes | None = None
        self._read: tuple[tuple[bytes, int], list[Kept]] | None = None
        self.ledger  # noqa: B018 - opened, and made

    @property
    def ledger(self) -> MortalLedger:
        """As the process that lives has it open."""
        return self._connections.ledger(self.place)

    def caller(self, operation: Operation = SILENT) -> Caller:
        """Who asks now."""
        return Caller(self.settings, self._connections, operation)

    @property
    def entries(self) -> list[Entry]:
        """What this customer asked for."""
        return self.api.entries(self.settings.user_id)

    @property
    def at_hand(self) -> list[Seal]:
        return seals(self.settings.ledger_key, self.settings.api_key)

    def rows(self) -> list[Kept]:
        """The ledger's rows, opened with whatever key there ever was."""
        now = self.path.read_bytes(), len(self._secrets)
        if self._read is None or self._read[0] != now:
            self._read = now, kept_in_copy(self.path, self._aside, [Seal(secret) for secret in self._secrets])
            shutil.rmtree(self._aside)
        return self._read[1]

    def end(self) -> None:
        """Every process ends."""
        self.orphan_dies()
        self._connections.die(self.place)

    def restart(self) -> None:
        """The process dies, and the next one opens the ledger."""
        self._connections.die(self.place)

    # The orphan

    def orphan_begins(self, user: EndUser) -> None:
        """Another process gets as far as its request, when the ledger lets it."""
        ledger = MortalLedger(self.path)
        turn = ledger.begin(self.identity(user))
        if isinstance(turn, Asked):
            self.orphan = Orphan(ledger, turn, self.settings, user)
        else:
            ledger.die()

    def orphan_answers(self) -> None:
        """Its answer comes, and no state hears of it."""
        orphan = self.orphan
        if orphan is None:
            raise AssertionError("there is one")
        intent = Recorded(orphan.ledger, orphan.asked, Seal(self._sealing(orphan.settings)), SILENT)
        writes, before = self.orphan_writes, len(self.entries)
        with contextlib.suppress(ProvisioningError):
            _ask(Caller(orphan.settings, self._connections), orphan.user, intent)
        if not writes and any(entry.done for entry in self.entries[before:]):
            self.forgotten(orphan.user)
        self.orphan_dies()

    @property
    def orphan_writes(self) -> bool:
        """Whether the orphan can write its answer: the file that it has open was not replaced or lost."""
        return self.orphan is not None and self.orphan.ledger.writes(self.path)

    def orphan_dies(self) -> None:
        if self.orphan is not None:
            self.orphan.ledger.die()
            self.orphan = None

    # Keys and files

    def forgotten(self, user: EndUser) -> None:
        """A user was created whose key nobody could keep."""
        self.excuses[user.internal_email] += 1
        self.gone += 1

    def rotate_provisioner_key(self, number: int) -> None:
        """OpenFunnel gives the customer another key, and the configuration follows."""
        accounts, email = self.api.accounts._accounts, self.settings.user_id
        accounts.pop(str(self.settings.api_key))
        key = f"of_rotated_{number}_{email}"
        accounts[key] = Account(email, key)
        self._set(replace(self.settings, api_key=key))

    def rotate_ledger_key(self, number: int) -> None:
        self._set(replace(self.settings, ledger_key=number.to_bytes(32, "big")))

    def rekey(self) -> None:
        """The command, once for each key that there was."""
        for secret in self._secrets:
            old = base64.b64encode(secret).decode() if secret[:1] == b"\0" else secret.decode()
            environment = {OLD_KEY: old, "OPENFUNNEL_API_KEY": str(self.settings.api_key)}
            if self.settings.ledger_key is not None:
                environment[LEDGER_KEY] = base64.b64encode(self.settings.ledger_key).decode()
            with patch.dict(os.environ, environment), contextlib.redirect_stdout(io.StringIO()):
                __main__.main(["ledger", "--ledger", str(self.path), "rekey"])

    def back_up(self) -> None:
        self._backup = self.path.read_bytes()

    def put_back(self, *, lost: bool) -> bool:
        """The file is lost, or an older copy of it is put back when there is one; whether there is.

        Whatever was created may be created again.
        """
        self.excuses.update({str(entry.email): 1 for entry in self.entries if entry.done})
        aside, copied = self.path.with_suffix(".copy"), not lost and self._backup is not None
        self._connections.die(self.place)
        self.path.unlink()
        if not lost and self._backup is not None:
            aside.write_bytes(self._backup)
            aside.rename(self.path)
        self.ledger  # noqa: B018 - opened, and made where it was lost
        return copied

    def revoke(self, user: EndUser) -> None:
        """OpenFunnel refuses the user's key, if there is one."""
        if self.api.key(user.internal_email) is not None:
            self.api.accounts.revoke(user.internal_email)

    def identity(self, user: EndUser) -> Identity:
        return Identity(self.settings.base_url, self.settings.user_id, user.internal_email, user.email)

    def held(self) -> Iterator[Held]:
        """What all stacks hold."""
        for stack in self.stacks.values():
            yield from stack.values()

    @property
    def _secret(self) -> bytes:
        return self._sealing(self.settings)

    @staticmethod
    def _sealing(settings: Settings) -> bytes:
        return settings.ledger_key or str(settings.api_key).encode()

    def _set(self, settings: Settings) -> None:
        self.settings = settings
        self._secrets.append(self._secret)
