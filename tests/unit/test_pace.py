"""The pace that all requests of a process keep, how they stop, and what is shown while they wait."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_openfunnel.api import retries
from pulumi_openfunnel.api.pace import IN_FLIGHT, Pace, Waits
from pulumi_openfunnel.api.retries import persist
from pulumi_openfunnel.errors import ProvisioningError, RateLimited, Stopped, Unreachable
from pulumi_openfunnel.operation import SILENT, Operation
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser

from ..certificates import Authority
from ..servers import INTERNAL_EMAIL, Request, ScriptedServer, answer, hides_keys
from .provisions import ALICE, Callers, another_process, lines_to

WAITING = "OpenFunnel asked to wait: requests go on in"


def _user(number: int) -> EndUser:
    return EndUser(f"user{number}@a.com", f"user{number}@orchestrator.com")


def _failure(caller: Caller) -> ProvisioningError:
    with pytest.raises(ProvisioningError) as caught:
        provision(caller, ALICE)
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return caught.value


def _created(request: Request) -> bytes:
    email = request.body.decode().split('"')[3]
    return answer(200, {"id": 7, "email": email, "api_key": f"of_{email}"})


def _together(count: int, action: Callable[[int], object], first: int = 0) -> list[threading.Thread]:
    threads = [threading.Thread(target=action, args=(number,)) for number in range(first, first + count)]
    for thread in threads:
        thread.start()
    return threads


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def _limited_once(server: ScriptedServer, callers: Callers, wait: float, count: int) -> tuple[float, list[float]]:
    """When the first of many threads' requests was refused for a time, and when those after it started."""
    times: list[float] = []
    refused: list[float] = []
    lock = threading.Lock()

    def script(request: Request) -> Iterator[bytes]:
        with lock:
            times.append(time.monotonic())
            first = len(times) == 1
        if first:
            refused.append(time.monotonic())
            yield answer(429, {"details": {"retry_after_seconds": wait}})
        else:
            yield _created(request)

    server.script = script
    server._httpd.socket.listen(64)  # or the system lets connections wait
    caller = callers(server.base_url, timeout=10)
    keys: list[str] = []

    def ask(number: int) -> None:
        keys.append(provision(caller, _user(number)).api_key)

    threads = _together(1, ask)
    _until(lambda: caller.connections.pace(caller.settings)._opens > 0)
    threads += _together(count - 1, ask, first=1)
    for thread in threads:
        thread.join()
    assert sorted(keys) == sorted(f"of_user{number}@orchestrator.com" for number in range(count))
    return refused[0], sorted(times)[1:]


def test_one_rate_limit_holds_back_all(server: ScriptedServer, callers: Callers) -> None:
    """After one thread's 429 no thread starts a request before the asked wait is over; then all are made."""
    refused, later = _limited_once(server, callers, wait=0.5, count=8)
    assert len(later) == 8
    assert later[0] - refused >= 0.5


def _at_once(pace: Pace) -> int:
    """How many requests may run at once now."""
    with contextlib.ExitStack() as running:
        for number in range(IN_FLIGHT + 1):
            if not pace._start():
                return number
            running.callback(pace._end)
    raise AssertionError("there is no limit")


def test_a_rate_limit_halves_the_requests_at_once() -> None:
    """Each further 429 lets fewer run, down to one; each answer lets one more run, up to 32."""
    pace = Pace()
    seen = [_at_once(pace)]
    for _ in range(6):
        pace.hold(0, since=time.monotonic())
        pace._opens = 0
        seen.append(_at_once(pace))
    assert seen == [32, 16, 8, 4, 2, 1, 1]
    for _ in range(40):
        pace.answered()
        seen.append(_at_once(pace))
    assert seen[7:10] == [2, 3, 4]
    assert seen[-1] == 32


def test_requests_that_were_on_their_way_lower_the_pace_once() -> None:
    """Many 429 answers to requests that started before the first one came count as one."""
    pace, started = Pace(), time.monotonic()
    for _ in range(20):
        pace.hold(0, since=started)
    pace._opens = 0
    assert _at_once(pace) == 16


def test_a_server_that_refuses_a_third_at_any_pace_is_not_asked_one_by_one() -> None:
    """What is asked at once settles where half of it is refused, not at the least."""
    pace = Pace()
    for _ in range(50):
        started = time.monotonic()
        for number in range(_at_once(pace)):
            pace.hold(0, since=started) if number % 3 == 0 else pace.answered()
        pace._opens = 0
    assert _at_once(pace) >= 16


def test_at_most_so_many_requests_at_once(server: ScriptedServer, callers: Callers) -> None:
    """No more than 32 requests are on their way; the others follow when those are answered."""

    def script(request: Request) -> Iterator[bytes]:
        server.released.wait(10)
        yield _created(request)

    server.script = script
    server._httpd.socket.listen(64)  # or the system lets connections wait
    caller = callers(server.base_url, timeout=10)
    threads = _together(IN_FLIGHT + 8, lambda number: provision(caller, _user(number)))
    _until(lambda: len(server.requests) == IN_FLIGHT)
    time.sleep(0.3)
    assert len(server.requests) == IN_FLIGHT == 32
    server.released.set()
    for thread in threads:
        thread.join()
    assert len(server.requests) == IN_FLIGHT + 8


def test_nothing_starts_once_it_stops(server: ScriptedServer, callers: Callers) -> None:
    """A stopping operation makes no request, and the error says that it was cancelled."""
    error = _failure(callers(server.base_url, operation=Operation(stopping=lambda: True)))
    assert isinstance(error, Stopped)
    assert "no further request was started" in str(error)
    assert server.requests == []


def test_a_wait_ends_when_it_stops(server: ScriptedServer, callers: Callers) -> None:
    """A stop within a wait that OpenFunnel asked for, or within a backoff, ends it without another request."""
    for refusal in (answer(429, {"details": {"retry_after_seconds": 8}}), answer(500)):
        server.script = lambda _request, refusal=refusal: [refusal]  # type: ignore[misc]
        server.requests.clear()
        stop = threading.Event()
        operation = Operation(stopping=lambda: bool(server.requests), wait=stop.wait)
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        caller = callers(server.base_url, timeout=10, operation=operation)
        assert isinstance(_failure(caller), Stopped)
        assert time.monotonic() - started < 3
        assert len(server.requests) == 1
        another_process(caller)


def test_a_full_house_can_be_stopped() -> None:
    """A request that waits for a free place stops as well."""
    pace, stopping = Pace(), threading.Event()
    assert all(pace._start() for _ in range(IN_FLIGHT))
    threading.Timer(0.1, stopping.set).start()
    with pytest.raises(Stopped), pace.turn(INTERNAL_EMAIL, Waits(), Operation(stopping=stopping.is_set)):
        pass


@pytest.mark.parametrize(("wait", "shown"), [(6, True), (2, False)], ids=["long", "short"])
def test_a_long_wait_for_openfunnel_is_shown(
    server: ScriptedServer, callers: Callers, wait: float, shown: bool
) -> None:
    """A wait of more than 3 seconds is shown with its length, a shorter one is not."""
    server.answers(429, {"details": {"retry_after_seconds": wait}})
    progress: list[str] = []
    waits: list[float] = []
    operation = Operation(progress=lines_to(progress), stopping=lambda: bool(waits), wait=waits.append)
    assert isinstance(_failure(callers(server.base_url, timeout=10, operation=operation)), Stopped)
    assert len(progress) == (1 if shown else 0)
    assert all(text.startswith(WAITING) and text.endswith((" 6 s.", " 7 s.")) for text in progress)


@pytest.mark.parametrize(("wait", "shown"), [(4, True), (2, False)], ids=["long", "short"])
def test_a_long_backoff_is_shown(
    server: ScriptedServer, callers: Callers, monkeypatch: pytest.MonkeyPatch, wait: float, shown: bool
) -> None:
    """A backoff of more than 3 seconds is shown with what went wrong and its length, a shorter one is not."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: wait)
    server.answers(500)
    progress: list[str] = []
    operation = Operation(progress=lines_to(progress), stopping=lambda: bool(server.requests))
    assert isinstance(_failure(callers(server.base_url, timeout=10, operation=operation)), Stopped)
    assert len(progress) == (1 if shown else 0)
    assert all(INTERNAL_EMAIL in text and "answered 500" in text for text in progress)
    assert all(text.endswith(" Trying again in 4 s.") for text in progress)


def test_a_request_gets_the_time_that_is_left() -> None:
    """Each request of a user may take what the ones before it left."""
    left: list[float] = []

    def request(seconds: float) -> str:
        left.append(seconds)
        time.sleep(0.2)
        if len(left) < 3:
            raise RateLimited(INTERNAL_EMAIL, "OpenFunnel limits the rate (429).", 0.0)
        return "done"

    assert persist(request, INTERNAL_EMAIL, timeout=5, pace=Pace(), operation=SILENT) == "done"
    assert left == [pytest.approx(5), pytest.approx(4.8, abs=0.1), pytest.approx(4.6, abs=0.15)]


def test_a_certificate_that_is_not_trusted_is_not_tried_again(callers: Callers, tmp_path: Path) -> None:
    """Nobody mends a certificate within the timeout: one connection, and nothing of the request goes out."""
    context, connections = Authority(tmp_path).server("127.0.0.1"), []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    connections.append(connection.getpeername())
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:  # ssl.SSLError is one
                        if len(connections) > 3:
                            return
                    if stopped.is_set():
                        return

        stopped = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        error = _failure(callers(f"https://127.0.0.1:{port}", timeout=10))
        assert len(connections) == 1
        stopped.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()
    assert isinstance(error, Unreachable)
    assert not error.transient
    assert not error.may_exist
    assert "the certificate of openfunnel:baseUrl is not trusted here. Nothing was created. If a proxy" in str(error)
    assert "set SSL_CERT_FILE" in str(error)
