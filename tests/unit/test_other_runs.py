"""Other runs and other threads that are at the same user."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from pulumi_openfunnel.api.client import BALANCE
from pulumi_openfunnel.errors import InProgress, Stopped, UserExists
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import Asked
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning.connections import Caller

from ..servers import INTERNAL_EMAIL, PROVISIONER_KEY, USER_KEY, Request, ScriptedServer, answer, hides_keys
from .processes import ASKER, PROCESS_ENDS, line, process, tell
from .provisions import ALICE, NEW_KEY, Callers, Console, created, creates, got, identity, ledger_of, scripted

ASKER_THAT_ANSWERS = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.opening import ledger_at
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.places import FilePlace
ledger = ledger_at(FilePlace(Path(sys.argv[1])))
asked = ledger.begin(Identity(*sys.argv[2:6]))
print(type(asked).__name__, flush=True)
if sys.stdin.readline():
    ledger.answered(asked, sys.argv[7].encode(), Seal(sys.argv[6].encode()))
    ledger.claim(asked, sys.argv[8])
sys.stdin.read()
"""
BODY = created().partition(b"\r\n\r\n")[2]


def _failure(caller: Caller, class_: type[Exception]) -> str:
    """What ends a wait; one line without a key."""
    with pytest.raises(class_) as caught:
        got(caller)
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return str(caught.value)


class TestAnotherRun:
    """Another process that is at the same user."""

    def _arguments(self, caller: Caller, path: Path) -> list[str]:
        return [str(path), *astuple(identity(caller))]

    def test_its_answer_is_waited_for(
        self, server: ScriptedServer, callers: Callers, path: Path, console: Console
    ) -> None:
        """This run waits, says so, and then uses the other one's key, without a request of its own."""
        scripted(server, created(NEW_KEY))
        caller = callers(server.base_url, path, timeout=20)
        more = [PROVISIONER_KEY, BODY.decode(), USER_KEY]
        with process(ASKER_THAT_ANSWERS, *self._arguments(caller, path), *more) as child:
            assert line(child) == "Asked"

            def progress(who: str | None, text: str, detail: str | None = None) -> None:
                console.operation.progress(who, text, detail)
                if len(console.progress) == 1:
                    tell(child)

            assert got(replace(caller, operation=Operation(progress=progress))).api_key == USER_KEY
        assert creates(server) == 0
        waiting = f"{INTERNAL_EMAIL}: another run is creating this user. Waiting for its answer."
        assert console.progress == [waiting]

    def test_it_is_not_waited_for_for_ever(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """After openfunnel:timeout the run gives up, with one line and without a request."""
        caller = callers(server.base_url, path, timeout=0.6)
        with process(ASKER, *self._arguments(caller, path)) as child:
            assert line(child) == "Asked"
            started = time.monotonic()
            message = _failure(caller, InProgress)
            assert 0.5 < time.monotonic() - started < 10
        assert message.startswith(f"{INTERNAL_EMAIL}: another run is creating this user. No request was sent.")
        assert server.requests == []

    def test_a_stop_ends_the_wait(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """A cancelled operation does not wait for another run."""
        caller = callers(server.base_url, path, operation=Operation(stopping=lambda: True))
        with process(ASKER, *self._arguments(caller, path)) as child:
            assert line(child) == "Asked"
            _failure(caller, Stopped)
        assert server.requests == []

    def test_a_dead_one_is_taken_over(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """When the other run is killed, this one asks; and what OpenFunnel refuses then was probably its user."""
        caller = callers(server.base_url, path, timeout=20)
        with process(ASKER, *self._arguments(caller, path)) as child:
            assert line(child) == "Asked"
            killer = threading.Timer(0.2, child.kill)
            killer.start()
            scripted(server, answer(409))
            message = _failure(caller, UserExists)
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
        caller = callers(server.base_url, path, timeout=20)
        threads = [threading.Thread(target=lambda: keys.append(got(caller).api_key)) for _ in range(4)]
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
        caller = callers(server.base_url, path, timeout=20)
        ledger, begin, asked = ledger_of(caller), Ledger.begin, ledger_of(caller).begin(identity(caller))
        assert isinstance(asked, Asked)
        done: list[object] = []

        def begin_then(self: Ledger, whom: object) -> object:
            found = begin(self, identity(caller))
            if not done:
                done.append(whom)
                ledger.answered(asked, BODY, Seal(PROVISIONER_KEY.encode()))
                ledger.claim(asked, USER_KEY)
                ledger.let_go(asked)
            return found

        scripted(server, answer(500))
        monkeypatch.setattr(Ledger, "begin", begin_then)
        assert got(caller, ALICE).api_key == USER_KEY
        assert creates(server) == 0
