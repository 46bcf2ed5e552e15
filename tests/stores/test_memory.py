"""The contract against the simplest store there is: so the contract itself is tried."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

import pytest

from pulumi_openfunnel.ledger.store import Conflict, Document, Store

from .contract import StoreContract


class MemoryStore:
    """Documents in a dict."""

    place = "memory"

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._versions = itertools.count()
        self._lock = threading.Lock()

    def get(self, name: str) -> Document | None:
        return self._documents.get(name)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        return {name: self._documents[name] for name in names if name in self._documents}

    def put_new(self, name: str, body: bytes) -> str:
        with self._lock:
            if name in self._documents:
                raise Conflict(name)
            return self._put(name, body)

    def put_over(self, name: str, body: bytes, version: str) -> str:
        with self._lock:
            if name not in self._documents or self._documents[name].version != version:
                raise Conflict(name)
            return self._put(name, body)

    def remove(self, name: str) -> None:
        self._documents.pop(name, None)

    def names(self, prefix: str) -> list[str]:
        with self._lock:
            return [name for name in self._documents if name.startswith(prefix)]

    def close(self) -> None:
        """Nothing is open."""

    def _put(self, name: str, body: bytes) -> str:
        version = str(next(self._versions))
        self._documents[name] = Document(body, version, time.time())
        return version


class InMemory:
    """A place in memory."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def open(self, *, create: bool = True, patience: float = 0) -> Store:
        del create, patience
        return self._store


class TestMemory(StoreContract):
    """Memory."""

    @pytest.fixture
    def where(self) -> InMemory:
        return InMemory()
