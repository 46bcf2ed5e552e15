"""Other runs and other threads that are at the same user."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from pulumi_openfunnel.api.client import BALANCE
from pulumi_openfunnel.errors import InProgress, Stopped, UserExists
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Row
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning.create import provision

from ..servers import (
    INTERNAL_EMAIL,
    ORCHESTRATOR,
    PROVISIONER_KEY,
    USER_KEY,
    Request,
    ScriptedServer,
    answer,
    hides_keys,
)
from .processes import PROCESS_ENDS, line, process, tell
from .provisions import ALICE, NEW_KEY, Callers, Console, created, creates, failure, ledger_of, scripted
from .rows import ASKER

ASKER_THAT_ANSWERS = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity
from pulumi_openfunnel.ledger.sealing import Seal
ledger, identity, seal = Ledger(Path(sys.argv[1])), Identity(*sys.argv[2:6]), Seal(sys.argv[6].encode())
row, mine = ledger.begin(identity)
print(mine, flush=True)
if sys.stdin.readline():
    ledger.answered(row, seal.seal(sys.argv[7].encode(), identity.bound), seal.key_id)
    ledger.issued(row, sys.argv[8])
sys.stdin.read()
"""


class TestAnotherRun:
    """Another process that is at the same user."""

    def _arguments(self, server: ScriptedServer, path: Path) -> list[str]:
        return [str(path), server.base_url, ORCHESTRATOR, INTERNAL_EMAIL, ALICE.email]

    def test_its_answer_is_waited_for(
        self, server: ScriptedServer, callers: Callers, path: Path, console: Console
    ) -> None:
        """This run waits, says so, and then uses the other one's key, without a request of its own."""
        scripted(server, created(NEW_KEY))
        body = created().partition(b"\r\n\r\n")[2].decode()
        more = [PROVISIONER_KEY, body, "c7785caa04caacfa"]
        with process(ASKER_THAT_ANSWERS, *self._arguments(server, path), *more) as child:
            assert line(child) == "True"

            def progress(who: str | None, text: str, detail: str | None = None) -> None:
                console.operation.progress(who, text, detail)
                if len(console.progress) == 1:
                    tell(child)

            caller = callers(server.base_url, path, timeout=20, operation=Operation(progress=progress))
            assert provision(caller, ALICE).api_key == USER_KEY
        assert creates(server) == 0
        waiting = f"{INTERNAL_EMAIL}: another run is creating this user. Waiting for its answer."
        assert set(console.progress) == {waiting}

    def test_it_is_not_waited_for_for_ever(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """After openfunnel:timeout the run gives up, with one line and without a request."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            started = time.monotonic()
            message = failure(callers(server.base_url, path, timeout=0.6), InProgress)
            assert 0.5 < time.monotonic() - started < 3
        assert message.startswith(f"{INTERNAL_EMAIL}: another run is creating this user. No request was sent.")
        assert server.requests == []

    def test_a_stop_ends_the_wait(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """A cancelled operation does not wait for another run."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            with pytest.raises(Stopped) as caught:
                provision(callers(server.base_url, path, operation=Operation(stopping=lambda: True)), ALICE)
        assert hides_keys(caught.value)
        assert server.requests == []

    def test_a_dead_one_is_taken_over(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """When the other run is killed, this one asks; and what OpenFunnel refuses then was probably its user."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            killer = threading.Timer(0.2, child.kill)
            killer.start()
            scripted(server, answer(409))
            message = failure(callers(server.base_url, path, timeout=20), UserExists)
            child.wait(PROCESS_ENDS)
        assert "A request of an earlier run, whose answer was lost, probably created it." in message
        assert creates(server) == 1


class TestAnotherThread:
    """Another thread of this process that is at the same user."""

    def test_threads_of_one_process_ask_once(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """Of several threads that provision the same user one asks, and all get its key."""

        def script(request: Request) -> Iterable[bytes]:
            time.sleep(0.2)
            return [answer(200, {}) if request.path == BALANCE else created()]

        server.script = script
        keys: list[str] = []
        caller = callers(server.base_url, path)
        threads = [threading.Thread(target=lambda: keys.append(provision(caller, ALICE).api_key)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert keys == [USER_KEY] * 4
        assert creates(server) == 1

    def test_a_thread_that_is_done_in_that_moment_is_not_overlooked(
        self, server: ScriptedServer, callers: Callers, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When another thread's answer is believed right after this one found it asking, this one gets the key."""
        caller = callers(server.base_url, path)
        identity = Identity(server.base_url, ORCHESTRATOR, ALICE.internal_email, ALICE.email)
        ledger, seal, begin = ledger_of(caller), Seal(PROVISIONER_KEY.encode()), Ledger.begin
        row, _ = ledger.begin(identity)

        def begin_then(self: Ledger, identity: Identity) -> tuple[Row, bool]:
            found = begin(self, identity)
            if not found[0].holds_key:
                ledger.answered(row, seal.seal(created().partition(b"\r\n\r\n")[2], identity.bound), seal.key_id)
                ledger.issued(row, "c7785caa04caacfa")
            return found

        scripted(server, answer(500))
        monkeypatch.setattr(Ledger, "begin", begin_then)
        assert provision(caller, ALICE).api_key == USER_KEY
        assert creates(server) == 0
