"""The local OpenFunnel as a server: how late it answers, how it ends."""

from __future__ import annotations

import contextlib
import time

import pytest

from pulumi_openfunnel.simulator import Accounts, Fault, Faults, serve

from ..servers import INTERNAL_EMAIL, PROVISIONER_KEY
from .simulated import asked, balance, read, wait_for


class TestLatency:
    """A server that takes its time before it works."""

    def test_the_work_waits(self, accounts: Accounts) -> None:
        """Neither work nor answer comes before the latency is over; balances do not wait."""
        with serve(accounts, latency=0.4) as base_url, asked(base_url) as wire:
            began = time.monotonic()
            assert balance(base_url, PROVISIONER_KEY).status_code == 200
            assert accounts.users == []
            assert wire.recv(65536).startswith(b"HTTP/1.1 200")
            assert time.monotonic() - began > 0.3
        assert len(accounts.users) == 1

    def test_the_work_is_done_for_a_client_that_has_gone(self, accounts: Accounts) -> None:
        """A client that gives up meanwhile has its user created all the same."""
        with serve(accounts, latency=0.3) as base_url:
            with asked(base_url):
                pass
            wait_for(lambda: accounts.users)
        assert [(entry.done, entry.status) for entry in accounts.record.entries] == [(True, 200)]

    @pytest.mark.parametrize("latency", [-1, float("nan"), float("inf")])
    def test_what_is_no_latency_is_refused(self, accounts: Accounts, latency: float) -> None:
        """A latency is a number of seconds from 0."""
        with pytest.raises(ValueError, match="latency"), serve(accounts, latency=latency):
            pass


class TestStop:
    """The server ends promptly, whatever it is in the middle of."""

    @pytest.mark.parametrize("fault", [Fault.ENDLESS, Fault.HOLD, Fault.TRICKLE])
    def test_no_answer_delays_the_end(
        self, capfd: pytest.CaptureFixture[str], accounts: Accounts, fault: Fault
    ) -> None:
        """An answer that is under way is cut off; also one that its client does not read."""
        with contextlib.ExitStack() as wires:
            with serve(accounts, faults=Faults({1: fault}, hold=60, pace=60)) as base_url:
                wire = wires.enter_context(asked(base_url))
                wait_for(lambda: accounts.record.entries)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
            read(wire)
        assert capfd.readouterr().err == ""

    def test_waiting_work_is_not_done(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """A request that still waits for its latency is neither worked on nor answered, and recorded so."""
        with contextlib.ExitStack() as wires:
            with serve(accounts, faults=Faults({1: Fault.ERROR}), latency=60) as base_url:
                wire = wires.enter_context(asked(base_url))
                balance(base_url, PROVISIONER_KEY)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
            assert read(wire) == b""
        (entry,) = accounts.record.entries
        assert (entry.n, entry.email, entry.fault, entry.status, entry.done) == (1, INTERNAL_EMAIL, None, None, False)
        assert capfd.readouterr().err == ""

    def test_half_a_request_does_not_delay_the_end(self, capfd: pytest.CaptureFixture[str], accounts: Accounts) -> None:
        """A request whose body never comes is cut off and recorded as unanswered."""
        with contextlib.ExitStack() as wires:
            with serve(accounts) as base_url:
                wires.enter_context(asked(base_url, body='{"em'))
                balance(base_url, PROVISIONER_KEY)
                began = time.monotonic()
            assert time.monotonic() - began < 1.5
        assert [(entry.email, entry.status, entry.done) for entry in accounts.record.entries] == [(None, None, False)]
        assert capfd.readouterr().err == ""
