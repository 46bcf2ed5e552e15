"""Requests whose answer was lost, ledgers that fail after it, and other runs that are at the same user."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tenacity import wait_none

from pulumi_openfunnel import retries, shared
from pulumi_openfunnel.client import BALANCE
from pulumi_openfunnel.errors import InProgress, RequestRefused, ServerFault, Stopped, UserExists
from pulumi_openfunnel.ledger import Status
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning import provision

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
from .test_ledger import ASKER
from .test_recall import (
    ALICE,
    NEW_KEY,
    Console,
    another_process,
    created,
    creates,
    failure,
    rows,
    scripted,
    settings_for,
)
from .test_runs import PROCESS_ENDS, line, process, tell

ASKER_THAT_ANSWERS = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger import Identity, Ledger
from pulumi_openfunnel.sealing import Seal
ledger, identity, seal = Ledger(Path(sys.argv[1])), Identity(*sys.argv[2:6]), Seal(sys.argv[6].encode())
row, mine = ledger.begin(identity)
print(mine, flush=True)
if sys.stdin.readline():
    ledger.answered(row, seal.seal(sys.argv[7].encode(), identity.bound), seal.key_id)
    ledger.issued(row, sys.argv[8])
sys.stdin.read()
"""
CONFLICT = answer(409)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retries, "_backoff", wait_none())
    yield
    another_process()
    for client in shared._clients.values():
        client.close()
    shared._clients.clear()
    shared._paces.clear()


def _in_turn(*answers: bytes) -> Iterator[bytes]:
    yield from answers
    while True:
        yield answers[-1]


def _answers(server: ScriptedServer, *answers: bytes) -> None:
    turn = _in_turn(*answers)
    scripted(server, lambda _request: [next(turn)])


class TestAUserThatExists:
    """Whether a request of ours probably created it."""

    @pytest.mark.parametrize(
        "lost",
        [answer(500), answer(502, b"<html>"), b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"],
        ids=["500", "502", "dropped", "half a body"],
    )
    def test_this_run_did(self, server: ScriptedServer, path: Path, lost: bytes) -> None:
        """An ambiguous failure, then 409: the error says that a request of this run probably created it."""
        _answers(server, lost, CONFLICT)
        message = failure(settings_for(server.base_url, path), UserExists)
        assert "A request of this run, whose answer was lost, probably created it." in message
        assert "existing_api_key" in message
        open_ = rows(path)[0]
        assert (open_.status, open_.unanswered, open_.asking) == (Status.ASKED, 1, False)

    def test_an_earlier_run_did(self, server: ScriptedServer, path: Path) -> None:
        """An ambiguous failure, then 409 in a later run: the error says that an earlier run probably created it."""
        settings = settings_for(server.base_url, path, timeout=0.3)
        _answers(server, answer(500))
        failure(settings, ServerFault)
        another_process()
        _answers(server, CONFLICT)
        message = failure(settings, UserExists)
        assert "A request of an earlier run, whose answer was lost, probably created it." in message

    @pytest.mark.parametrize(
        "before", [answer(429, {"details": {"retry_after_seconds": 0}}), None], ids=["429", "none"]
    )
    def test_nobody_here_did(self, server: ScriptedServer, path: Path, before: bytes | None) -> None:
        """A user that exists, when no answer was lost, is not said to be ours, and the row is closed."""
        _answers(server, *([before] if before else []), CONFLICT)
        message = failure(settings_for(server.base_url, path), UserExists)
        assert "probably" not in message
        assert "its key cannot be read" in message
        assert [(row.status, row.unanswered) for row in rows(path)] == [(Status.REFUSED, 0)]

    def test_the_start_of_an_answer_is_kept(self, server: ScriptedServer, path: Path) -> None:
        """A 2xx that broke off is kept, sealed, and the error of the 409 that follows says where."""
        _answers(server, created()[:-5], CONFLICT)
        message = failure(settings_for(server.base_url, path), UserExists)
        assert "What came of its answer is kept, sealed" in message
        assert [row.problem for row in rows(path)] == [None, "its connection broke off"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_closes_the_intent(server: ScriptedServer, path: Path, status: int) -> None:
    """What OpenFunnel refuses for good leaves no open row, and a later run asks again."""
    settings = settings_for(server.base_url, path)
    _answers(server, answer(status), created())
    with pytest.raises(Exception, match=str(status) if status in (401, 403) else "OpenFunnel answered"):
        provision(settings, ALICE)
    assert [(row.status, row.attempts) for row in rows(path)] == [(Status.REFUSED, 1)]
    another_process()
    assert provision(settings, ALICE).api_key == USER_KEY
    assert [row.status for row in rows(path)] == [Status.REFUSED, Status.ISSUED]


def test_a_refusal_after_a_lost_answer_closes_nothing(server: ScriptedServer, path: Path) -> None:
    """A user that may exist stays an open question, whatever is refused afterwards."""
    _answers(server, b"", answer(422))
    failure(settings_for(server.base_url, path), RequestRefused)
    assert [(row.status, row.attempts, row.unanswered) for row in rows(path)] == [(Status.ASKED, 2, 1)]


@pytest.mark.parametrize("replace", [False, True], ids=["removed", "replaced"])
def test_a_ledger_that_fails_after_the_answer_loses_no_key(
    server: ScriptedServer, path: Path, console: Console, replace: bool
) -> None:
    """A valid key whose answer could not be written is handed over, with a warning that names its user."""

    def create(_request: Request) -> Iterable[bytes]:
        path.rename(path.with_name("kept.db"))
        if replace:
            path.touch()
        return [created()]

    scripted(server, create)
    assert provision(settings_for(server.base_url, path), ALICE, console.operation).api_key == USER_KEY
    (warning,) = console.warnings
    assert warning.startswith(f"{INTERNAL_EMAIL}: its key is in Pulumi's state alone")
    assert str(path) in warning
    assert warning.isprintable()
    assert USER_KEY not in warning
    assert PROVISIONER_KEY not in warning


def test_a_row_is_on_the_disk_while_the_request_is_on_its_way(server: ScriptedServer, path: Path) -> None:
    """Before OpenFunnel hears of a user, its row is there; before its answer is looked at, the answer is."""
    seen: list[tuple[Status, int, int]] = []

    def create(_request: Request) -> Iterable[bytes]:
        seen.extend((row.status, row.attempts, row.unanswered) for row in rows(path))
        return [answer(500) if len(seen) == 1 else created()]

    scripted(server, create)
    provision(settings_for(server.base_url, path), ALICE)
    assert seen == [(Status.ASKED, 1, 1), (Status.ASKED, 2, 2)]


class TestAnotherRun:
    """Another process that is at the same user."""

    def _arguments(self, server: ScriptedServer, path: Path) -> list[str]:
        return [str(path), server.base_url, ORCHESTRATOR, INTERNAL_EMAIL, ALICE.email]

    def test_its_answer_is_waited_for(self, server: ScriptedServer, path: Path, console: Console) -> None:
        """This run waits, says so, and then uses the other one's key, without a request of its own."""
        scripted(server, created(NEW_KEY))
        body = created().partition(b"\r\n\r\n")[2].decode()
        more = [PROVISIONER_KEY, body, "c7785caa04caacfa"]
        with process(ASKER_THAT_ANSWERS, *self._arguments(server, path), *more) as child:
            assert line(child) == "True"

            def progress(text: str) -> None:
                console.progress.append(text)
                if len(console.progress) == 1:
                    tell(child)

            operation = Operation(progress=progress)
            assert provision(settings_for(server.base_url, path, timeout=20), ALICE, operation).api_key == USER_KEY
        assert creates(server) == 0
        waiting = f"{INTERNAL_EMAIL}: another run is asking for it. Waiting for its answer."
        assert set(console.progress) == {waiting}

    def test_it_is_not_waited_for_for_ever(self, server: ScriptedServer, path: Path) -> None:
        """After openfunnel:timeout the run gives up, with one line and without a request."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            started = time.monotonic()
            message = failure(settings_for(server.base_url, path, timeout=0.6), InProgress)
            assert 0.5 < time.monotonic() - started < 3
        assert message.startswith(f"{INTERNAL_EMAIL}: another run is asking for it right now. Nothing was asked for.")
        assert server.requests == []

    def test_a_stop_ends_the_wait(self, server: ScriptedServer, path: Path) -> None:
        """A cancelled operation does not wait for another run."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            with pytest.raises(Stopped) as caught:
                provision(settings_for(server.base_url, path), ALICE, Operation(stopping=lambda: True))
        assert hides_keys(caught.value)
        assert server.requests == []

    def test_a_dead_one_is_taken_over(self, server: ScriptedServer, path: Path) -> None:
        """When the other run is killed, this one asks; and what OpenFunnel refuses then was probably its user."""
        with process(ASKER, *self._arguments(server, path)) as child:
            assert line(child) == "True"
            killer = threading.Timer(0.2, child.kill)
            killer.start()
            scripted(server, CONFLICT)
            message = failure(settings_for(server.base_url, path, timeout=20), UserExists)
            child.wait(PROCESS_ENDS)
        assert "A request of an earlier run, whose answer was lost, probably created it." in message
        assert creates(server) == 1

    def test_threads_of_one_process_ask_once(self, server: ScriptedServer, path: Path) -> None:
        """Of several threads that provision the same user one asks, and all get its key."""

        def script(request: Request) -> Iterable[bytes]:
            time.sleep(0.2)
            return [answer(200, {}) if request.path == BALANCE else created()]

        server.script = script
        keys: list[str] = []
        settings = settings_for(server.base_url, path)
        threads = [threading.Thread(target=lambda: keys.append(provision(settings, ALICE).api_key)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert keys == [USER_KEY] * 4
        assert creates(server) == 1
