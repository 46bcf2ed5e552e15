"""The provider process beside its engine: errors, and the end."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dill
import grpc
import pytest

from ..provider_process import FORMATS_ERRORS, SDK, Provider, Start, said
from ..servers import ORCHESTRATOR, PROVISIONER_KEY, Request, ScriptedServer, answer

ALICE = {"email": "alice@alice-startup.com", "internal_email": "alice@orchestrator.com"}
CREATED = answer(200, {"id": 1, "email": "alice@orchestrator.com", "api_key": "of_alice_0123456789"})

FAILING_PROVIDER = """
from pulumi.dynamic import ResourceProvider

class FailingProvider(ResourceProvider):
    def create(self, props):
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise RuntimeError("their failure") from error
"""


@pytest.fixture
def their_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another package's provider, pickled by reference; the package is on PYTHONPATH."""
    (tmp_path / "their_package.py").write_text(FAILING_PROVIDER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    import their_package  # type: ignore[import-not-found]

    return base64.b64encode(dill.dumps(their_package.FailingProvider())).decode()


def test_ours_fail_in_one_line_and_theirs_with_a_traceback(start: Start, api: str, their_provider: str) -> None:
    """50 failures of ours and 50 of another provider, at once in one process: each is shown as it should be."""
    provider = start()
    provider.configure(userId="guy@orchestrator.com", apiKey="of_wrong", baseUrl=api)
    provider.check(ALICE)

    def fail(number: int) -> str:
        with pytest.raises(grpc.RpcError) as failure:
            provider.create(ALICE, provider=their_provider if number % 2 else None)
        return said(failure.value)

    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(fail, range(100)))
    for ours in shown[0::2]:
        assert ours.startswith("alice@orchestrator.com: OpenFunnel refused the provisioner key (401).")
        assert len(ours.splitlines()) == 1
    for theirs in shown[1::2]:
        assert theirs.rstrip().endswith("their failure")
        if SDK >= FORMATS_ERRORS:
            assert theirs.startswith("Traceback (most recent call last):")
            assert "KeyError: 'the cause'" in theirs


@pytest.fixture
def slow(server: ScriptedServer) -> Iterator[tuple[ScriptedServer, threading.Event, threading.Event]]:
    """A server that says when a request has come, and answers when it is told to."""
    come, go = threading.Event(), threading.Event()

    def script(_request: Request) -> Iterator[bytes]:
        come.set()
        go.wait(30)
        yield CREATED

    server.script = script
    yield server, come, go
    go.set()


@contextlib.contextmanager
def creating(start: Start, slow: tuple[ScriptedServer, threading.Event, threading.Event]) -> Iterator[Provider]:
    """A provider that waits for an answer while the block lasts; then the answer comes, and its key is handed over."""
    server, come, go = slow
    provider = start()
    provider.configure(userId="guy@orchestrator.com", apiKey=PROVISIONER_KEY, baseUrl=server.base_url)
    with ThreadPoolExecutor(1) as pool:
        created = pool.submit(provider.create, ALICE)
        assert come.wait(10)
        yield provider
        go.set()
        assert created.result(10)[1]["api_key"] == "of_alice_0123456789"


def test_the_process_ends_with_its_engine(provider: Provider) -> None:
    """When the engine is gone (the pipe to our standard input hangs up), the provider ends."""
    provider.check(ALICE)
    assert provider.process.poll() is None
    hang_up(provider)
    assert provider.process.wait(10) == 0


def test_a_running_verb_is_finished_first(
    start: Start, slow: tuple[ScriptedServer, threading.Event, threading.Event]
) -> None:
    """A create that waits for its answer when the engine goes gets its answer; then the process ends."""
    with creating(start, slow) as provider:
        hang_up(provider)
        with pytest.raises(subprocess.TimeoutExpired):
            provider.process.wait(1)
    assert provider.process.wait(10) == 0


def test_a_terminated_process_finishes_its_requests(
    start: Start, slow: tuple[ScriptedServer, threading.Event, threading.Event]
) -> None:
    """SIGTERM, which a runner sends to every process of a job, is the engine's to act on; the answer arrives."""
    with creating(start, slow) as provider:
        provider.process.terminate()
    hang_up(provider)
    assert provider.process.wait(10) == 0


def test_a_message_that_no_engine_takes_is_printed(start: Start) -> None:
    """A warning is never lost: where the engine does not answer, it goes to standard error."""
    provider = start()
    provider.configure()
    provider.engine_server.stop(None).wait()
    provider.delete("1", ALICE)
    provider.process.kill()
    assert provider.process.stderr is not None
    assert b"warning: alice@orchestrator.com: removed from the stack only" in provider.process.stderr.read()


def hang_up(provider: Provider) -> None:
    assert provider.process.stdin is not None
    provider.process.stdin.close()


@pytest.mark.parametrize(("ci", "warned"), [("true", True), ("", False)])
def test_a_ci_runners_default_ledger_is_warned_of(
    start: Start, api: str, tmp_path: Path, ci: str, warned: bool
) -> None:
    """It goes with the runner; the home directory need not exist before."""
    home = tmp_path / "missing" / "home"
    provider = start(HOME=str(home), XDG_STATE_HOME="", OPENFUNNEL_LEDGER="", CI=ci)
    provider.configure(userId=ORCHESTRATOR, apiKey=PROVISIONER_KEY, baseUrl=api)
    for name in ("alice", "bob"):
        provider.create({"email": f"{name}@a.com", "internal_email": f"{name}@orchestrator.com"})
    assert [w.startswith("The ledger is at its default place") for w in provider.engine.warnings] == [True] * warned
    [ledger] = home.rglob("ledger.db")
    assert oct(ledger.stat().st_mode & 0o777) == "0o600"
    assert oct(ledger.parent.stat().st_mode & 0o777) == "0o700"


def test_the_engines_cancel_stops_requests_and_not_answers(start: Start, server: ScriptedServer) -> None:
    """It is heard while more verbs run than the SDK has workers for; what is on its way is finished and recorded."""

    def held(request: Request) -> Iterator[bytes]:
        if request.method == "GET":
            yield answer(500)
            return
        server.released.wait()
        email = json.loads(request.body)["email"]
        yield answer(200, {"id": 1, "email": email, "api_key": f"of_key_of_{email}"})

    server.script = held
    provider = start()
    provider.configure(userId=ORCHESTRATOR, apiKey=PROVISIONER_KEY, baseUrl=server.base_url)
    users = [{"email": f"user{n}@a.com", "internal_email": f"user{n}@orchestrator.com"} for n in range(7)]
    provider.check({"email": "user0@a.com"})  # the engine checks before it creates
    asked = len(server.requests) + 6
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(provider.create, user) for user in users[:6]]
        while len(server.requests) < asked:
            assert not any(verb.done() for verb in running)
            time.sleep(0.01)
        provider.cancel()
        with pytest.raises(grpc.RpcError) as stopped:
            provider.create(users[6])
        server.released.set()
        assert sorted(verb.result()[1]["api_key"] for verb in running) == [
            f"of_key_of_user{n}@orchestrator.com" for n in range(6)
        ]
    assert said(stopped.value) == (
        "user6@orchestrator.com: no further request was started: the operation was cancelled. Run pulumi up again."
    )
    assert len(server.requests) == asked
