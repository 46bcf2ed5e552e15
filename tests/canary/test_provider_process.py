"""What ``dynamic/internals.py`` leans on in ``pulumi.dynamic.__main__`` and in ``concurrent.futures``.

Each test fails when upstream changed one thing. Then the package goes on without what that gives, and the message says what.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ..provider_process import FORMATS_ERRORS, SDK, Provider, Start, said
from ..servers import ORCHESTRATOR, PROVISIONER_KEY

ALICE = {"email": "alice@alice-startup.com", "internal_email": "alice@orchestrator.com"}


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> str:
    """The probe, pickled by reference."""
    directory = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", directory, prepend=":")
    monkeypatch.syspath_prepend(directory)
    pickled: str = serialize_provider(importlib.import_module("probe").Probe())
    return pickled


@pytest.fixture
def process(start: Start, probe: str) -> Provider:
    """A provider process that no provider of ours was loaded in yet, and that can import the probe."""
    assert probe
    return start()


@pytest.fixture
def fitted(process: Provider) -> Provider:
    """A provider process that our provider has fitted for itself."""
    process.configure(userId=ORCHESTRATOR, apiKey=PROVISIONER_KEY, baseUrl="http://127.0.0.1:1")
    process.check({"email": "bob@@b.com"})
    return process


def look(process: Provider, probe: str, what: str, **more: Any) -> Any:
    return process.create({"look": what, **more}, provider=probe)[1].get("seen")


def test_errors_are_formatted_by_the_main_modules_traceback(process: Provider, probe: str) -> None:
    """``pulumi.dynamic.__main__`` formats a verb's error by its global name ``traceback``; before 3.260 not at all."""
    expected = "the module" if SDK >= FORMATS_ERRORS else "NoneType"
    assert look(process, probe, "formats") == expected, (
        "pulumi.dynamic.__main__ has no global `traceback` any more: our errors are shown as tracebacks of many lines "
        "(dynamic/internals.py, _OneLineErrors)"
    )


def test_our_errors_are_one_line(fitted: Provider) -> None:
    """The engine is told our message and nothing around it."""
    with pytest.raises(grpc.RpcError) as failure:
        fitted.create(ALICE | {"existing_api_key": " "})
    assert said(failure.value).startswith("existing_api_key: empty"), (
        "pulumi.dynamic formats a verb's error in another way than by traceback.format_exc() of its main module: our "
        "errors are not one line any more (dynamic/internals.py, _OneLineErrors)"
    )
    assert len(said(failure.value).splitlines()) == 1


def test_cancel_can_be_given_another_body(process: Provider, probe: str) -> None:
    """The servicer's Cancel is a plain function of three arguments that closes over nothing."""
    assert look(process, probe, "cancel") == [[], 3], (
        "DynamicResourceProviderServicer.Cancel is wrapped, or takes other arguments: Ctrl-C is not heard, and requests "
        "go on until the second one (dynamic/internals.py, _hear_cancel)"
    )


def test_a_cancel_is_heard(fitted: Provider) -> None:
    """The method that gRPC has registered is the one whose body was changed."""
    fitted.cancel()
    with pytest.raises(grpc.RpcError) as stopped:
        fitted.create(ALICE)
    assert "the operation was cancelled" in said(stopped.value), (
        "pulumi.dynamic's Cancel runs another body than the one it was given: Ctrl-C is not heard, and requests go on "
        "until the second one (dynamic/internals.py, _hear_cancel)"
    )


def test_a_sigterm_is_left_to_the_engine(fitted: Provider) -> None:
    """SIGTERM has the disposition that the C library was told, because nothing in the process handles it."""
    fitted.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        fitted.process.wait(1)
    assert fitted.check(ALICE)[1] == [], (
        "pulumi.dynamic's main module handles SIGTERM itself: see whether a verb that runs is finished then, and whether "
        "ours has to do anything any more (dynamic/internals.py, _leave_sigterm_to_the_engine)"
    )


def test_the_own_pool_is_found_and_grown(process: Provider, probe: str) -> None:
    """From a worker's frame, by ``executor_reference``, with its size in ``_max_workers``; four workers to begin with."""
    before = look(process, probe, "workers")
    assert before is not None, (
        "concurrent.futures' worker does not hold its pool as `executor_reference`, or gRPC uses another pool: at most four "
        "verbs run at once, and a cancel waits behind them (dynamic/internals.py, _own_pool)"
    )
    process.configure()
    process.check({"email": "bob@@b.com"})
    assert (before, look(process, probe, "workers")) == (4, 256), (
        "the pool of pulumi.dynamic has another size than four, or _max_workers is not what limits it: see how many verbs "
        "run at once now (dynamic/internals.py, _hear_cancel)"
    )


def test_a_verb_is_seen_while_it_runs_and_no_longer(process: Provider, probe: str, tmp_path: Path) -> None:
    """By a frame of the main module in another thread than the main one."""
    file = tmp_path / "seen"
    assert look(process, probe, "runs", file=str(file)) is True, (
        "a verb's thread has no frame of pulumi.dynamic's main module: a provider whose engine was killed ends in the "
        "middle of a request (dynamic/internals.py, a_verb_runs)"
    )
    end = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert file.read_text() == "ended", (
        "a thread of pulumi.dynamic's main module runs for ever: a provider whose engine was killed never ends "
        "(dynamic/internals.py, a_verb_runs)"
    )


def test_the_engines_address_is_the_last_argument(process: Provider) -> None:
    """What we say goes to the engine whose address the process was started with."""
    process.configure()
    process.delete("1", ALICE)
    assert len(process.engine.warnings) == 1, (
        f"a provider process ({sys.executable} -m pulumi.dynamic ADDRESS) is told of its engine in another way: warnings go "
        "to standard error (dynamic/process.py)"
    )
