"""One operation of the engine on one stack: what all its verbs share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from .. import settings
from ..operation import Operation
from ..places import Place
from ..settings import Config, Settings
from .connections import Caller, Connections
from .memory import Memory

if TYPE_CHECKING:
    from .keys import ProvisionedKey
    from .verify import KeyState

T = TypeVar("T")

_THREADS = 48  # more than there are requests in flight, so that one user's writing keeps no other one's request waiting


class Session:
    """What one operation knows. Safe to share between threads.

    Args:
        config: the stack's config.
        environ: the environment's variables.
        operation: who runs this.

    Attributes:
        environ: the same.
        operation: the same.
        connections: to APIs and ledgers.
        memory: which end user each user and key of the stack stands for.
        created: by internal email, the key that this operation brought.
        refused: by settings, why everybody with the same credentials is refused.
        refreshes: whether it has read resources, as a refresh does before anything else.
    """

    def __init__(self, config: Config, environ: Mapping[str, str], operation: Operation) -> None:
        self.environ = environ
        self.operation = operation
        self.connections = Connections()
        self.memory = Memory()
        self.created: dict[str, ProvisionedKey] = {}
        self.refused: dict[Settings, str] = {}
        self.refreshes = False
        self._config = config
        self._done: set[Hashable] = set()
        self._doing = threading.Lock()
        self._key_states: dict[str, KeyState] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="openfunnel")  # threads come with work

    def caller(self, orchestrator: object = None, operation: Operation | None = None) -> Caller:
        """Who asks.

        Args:
            orchestrator: the name of the credentials; None for the stack's default ones.
            operation: who runs this, when it is not the whole operation.

        Raises:
            InvalidSetting: when a setting is missing or wrong.
        """
        read = settings.read(self._config, self.environ, orchestrator)
        return Caller(read, self.connections, operation or self.operation, self.memory)

    def ledger_place(self) -> Place | None:
        """Where the ledger lies, whatever the other settings; None when it is off.

        Raises:
            InvalidSetting: when the setting names no place.
        """
        return settings.ledger_place(self._config, self.environ)

    def first(self, what: Hashable) -> bool:
        """Whether something is to be done: the first time only."""
        with self._doing:
            new = what not in self._done
            self._done.add(what)
            return new

    def key_state(self, api_key: str, ask: Callable[[], KeyState]) -> KeyState:
        """What is known of a key, asked once an operation: a refresh reads everything twice."""
        if api_key not in self._key_states:
            self._key_states[api_key] = ask()
        return self._key_states[api_key]

    def of_each(self, names: Iterable[str], work: Callable[[str], T]) -> dict[str, T]:
        """The work's result for each name, by threads that all callers share."""
        running: dict[str, Future[Any]] = {name: self._pool.submit(work, name) for name in names}
        return {name: future.result() for name, future in running.items()}
