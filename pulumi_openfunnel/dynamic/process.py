"""The provider process: its one session, errors in one line, Ctrl-C, and the end with the engine.

A dynamic provider runs inside ``python -m pulumi.dynamic``, a process that it shares with every other dynamic provider of
the program and that gives it no way to fail in one line, to hear of a cancel, or to end. What that takes is in
:mod:`.internals`, because it leans on internals of the SDK.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import Any, Protocol

from pulumi.dynamic import CheckResult, Config, CreateResult, DiffResult, ReadResult, UpdateResult

from ..errors import OpenFunnelError
from ..operation import Operation
from ..provisioning.session import Session
from . import internals
from .log import Log
from .summary import Summary

_LOOK_AGAIN = 0.2  # seconds between two looks for verbs that still run


class Verbs(Protocol):
    """What the engine asks of a resource, with plain values."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult: ...
    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult: ...
    def create(self, props: dict[str, Any]) -> CreateResult: ...
    def read(self, id: str, props: dict[str, Any]) -> ReadResult: ...
    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult: ...
    def delete(self, id: str, props: dict[str, Any]) -> None: ...


class Process:
    """What lasts as long as the provider process, which serves one operation on one stack.

    Attributes:
        log: the engine's.
        summary: what rosters say of many users.
        session: the operation's.
        many: the operation as a roster's users are worked on: what is true of many is said once.
    """

    def __init__(self) -> None:
        self.log = Log(sys.argv[-1])
        self.summary = Summary(self.log)
        self._stopped = threading.Event()
        self._fitting = threading.Lock()
        self._config: Config | None = None
        self._sees_engine = False  # whether the engine can be seen to end
        operation = self._operation
        self.session = Session(self._value, os.environ, operation)
        self.many = self.summary.of(operation)

    @property
    def _operation(self) -> Operation:
        log = self.log
        return Operation(log.warn, log.info, log.progress, stopping=self.stopping, wait=self._stopped.wait)

    def told_plainly(self, verbs: Verbs) -> Verbs:
        """The verbs, whose errors reach the engine as one line with every SDK."""
        return verbs if internals.errors_are_formatted() else internals.Aborting(verbs)

    def configure(self, config: Config) -> None:
        """Keep the config for the verbs that need it, and fit the process for our resources, once.

        Complaining here of a setting would break destroy, too.
        """
        self._config = config
        if not self._fitting.acquire(blocking=False):
            return
        atexit.register(self._close)  # the engine interrupts the process at its end
        self._sees_engine = internals.fit()
        if self._sees_engine:
            threading.Thread(target=self._end_with_engine, name="end-with-engine", daemon=True).start()

    def stop(self) -> None:
        """Start no further request: the engine cancelled."""
        self._stopped.set()

    def stopping(self) -> bool:
        """Whether no request is to start any more: the engine has cancelled, or is gone."""
        if not self._stopped.is_set() and self._sees_engine and internals.hung_up(0):
            self._stopped.set()
        return self._stopped.is_set()

    def _value(self, key: str) -> object:
        return self._config.get(key) if self._config is not None else None

    def _end_with_engine(self) -> None:
        """Wait until the engine is gone, start nothing more, let what runs come to its end; then end."""
        while not internals.hung_up(None):
            pass
        self._stopped.set()
        while internals.a_verb_runs():
            time.sleep(_LOOK_AGAIN)
        self._close()
        os._exit(0)

    def _close(self) -> None:
        """Leave nothing of the run in the ledger; what cannot be removed expires."""
        with contextlib.suppress(OpenFunnelError):
            self.session.connections.close()


PROCESS = Process()
"""This one: the only state of the provider's side that hangs on a module."""
