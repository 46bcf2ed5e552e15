"""What a store behind a network promises when the network or the server does not do its part."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import pytest

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger.patience import patiently
from pulumi_openfunnel.ledger.store import Store

from .contract import SharedStoreContract
from .helpers import ENDS, IMPATIENCE, PATIENCE, believed, check_line, together
from .proxies import Answer, Cut, Delay, Exchange, Fault, Faults, HttpProxy, LoseReply, TcpProxy, every, nothing


class Proxied(Protocol):
    """A place behind a proxy."""

    url: str
    proxy: HttpProxy | TcpProxy

    def open(self, *, create: bool = True, patience: float = PATIENCE) -> Store:
        """A store there."""

    def stop(self) -> None:
        """End the server behind."""

    def start(self) -> None:
        """Start it again."""


class NetworkStoreContract(SharedStoreContract):
    """The contract for a place behind a network, with faults."""

    throttled: Fault = Answer(503, b"<Error><Code>SlowDown</Code></Error>")

    @pytest.fixture
    def behind(self) -> Proxied:
        raise NotImplementedError

    def test_lost_replies_lose_nothing(self, behind: Proxied) -> None:
        """When every tenth reply of a write is lost, each document is there once, with what was written last."""
        with contextlib.closing(behind.open()) as store:
            behind.proxy.faults = every(10, LoseReply())

            def user(number: int) -> None:
                name = f"users/{number}"
                first = believed(lambda: store.put_new(name, b"first"), lambda: store.get(name), b"first")
                believed(lambda: store.put_over(name, b"second", first), lambda: store.get(name), b"second")

            assert together([partial(user, number) for number in range(32)]) == [None] * 32
            behind.proxy.faults = nothing
            assert len([exchange for exchange in behind.proxy.exchanges if exchange.write]) > 64
            found = store.get_many(store.names("users/"))
            assert len(found) == 32
            assert {document.body for document in found.values()} == {b"second"}

    @pytest.mark.parametrize("fault", [Cut(), Delay(0.2), "throttled"], ids=["cut", "delayed", "throttled"])
    def test_what_passes_is_tried_again(self, behind: Proxied, fault: Fault | str) -> None:
        """Calls that are cut, delayed or throttled now and then all come to their end."""
        with contextlib.closing(behind.open()) as store:
            behind.proxy.faults = every(3, self.throttled if isinstance(fault, str) else fault, writes=False)

            def user(number: int) -> bytes | None:
                name, body = f"users/{number}", str(number).encode()
                believed(lambda: store.put_new(name, body), lambda: store.get(name), body)
                found = store.get(name)
                return found.body if found is not None else None

            assert together([partial(user, number) for number in range(16)]) == [
                str(number).encode() for number in range(16)
            ]
            assert len(store.names("users/")) == 16

    def test_throttling_ends_within_the_bound(self, behind: Proxied) -> None:
        """A store that refuses for longer than the bound is told in one line, which says that it may pass."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            behind.proxy.faults = lambda _: self.throttled
            started = time.monotonic()
            _unusable(behind, lambda: store.put_new("users/a", b"A"), transient=True)
            _unusable(behind, lambda: store.get("users/a"), transient=True)
            assert time.monotonic() - started < ENDS
            behind.proxy.faults = nothing
            store.put_new("users/b", b"B")

    def test_nobody_there_is_told(self, behind: Proxied) -> None:
        """Where nobody listens, each call ends with one line; it does not matter whether the store was open before."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            store.put_new("users/a", b"A")
            behind.stop()
            calls: list[Callable[[], object]] = [
                lambda: store.get("users/a"),
                lambda: store.get_many(["users/a", "users/b"]),
                lambda: store.put_new("users/b", b"B"),
                lambda: store.put_over("users/a", b"B", "1"),
                lambda: store.remove("users/a"),
                lambda: store.names("users/"),
            ]
            for call in calls:
                _unusable(behind, call, transient=True)
            _unusable(behind, lambda: _used(behind), transient=True)
            behind.start()
            found = patiently(ENDS, lambda: store.get("users/a"))
            assert found is not None
            assert found.body == b"A"

    def test_a_server_that_comes_back_is_used_again(self, behind: Proxied) -> None:
        """Threads that write while the server goes away and comes back all come to their end, and nothing is lost."""
        with contextlib.closing(behind.open()) as store:
            store.put_new("users/none", b"")
            halfway = threading.Event()

            def user(number: int) -> str:
                name = f"users/{number}"
                if number >= 16:
                    assert halfway.wait(ENDS)
                return believed(lambda: store.put_new(name, b"A"), lambda: store.get(name), b"A")

            def restart() -> str:
                behind.stop()
                halfway.set()
                behind.start()
                return "restarted"

            users: list[Callable[[], str]] = [partial(user, number) for number in range(32)]
            results = together([*users, restart])
            assert [result for result in results if not isinstance(result, str)] == []
            assert len(store.names("users/")) == 33

    def test_a_silent_server_holds_nobody_for_ever(self, behind: Proxied) -> None:
        """A server that takes a request and never answers is given up, in one line."""
        with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
            store.put_new("users/a", b"A")
            behind.proxy.faults = _silent(ENDS)
            started = time.monotonic()
            _unusable(behind, lambda: store.get("users/a"), transient=True)
            assert time.monotonic() - started < ENDS / 2


def _used(behind: Proxied) -> None:
    """Some stores connect when they are opened, others when they are asked."""
    with contextlib.closing(behind.open(patience=IMPATIENCE)) as store:
        store.get("users/a")


def _silent(seconds: float) -> Faults:
    def fault(_exchange: Exchange) -> Fault:
        return Delay(seconds)

    return fault


def _unusable(behind: Proxied, action: Callable[[], object], *, transient: bool) -> None:
    with pytest.raises(LedgerUnusable) as caught:
        action()
    check_line(caught.value, behind.url)
    assert caught.value.transient is transient
