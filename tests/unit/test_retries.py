"""When a request is made again, and when it is not: through the use case, against servers that fail in every way."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from pulumi_openfunnel.api import retries
from pulumi_openfunnel.api.pace import Pace
from pulumi_openfunnel.api.retries import persist
from pulumi_openfunnel.errors import ForeignPage, ProvisioningError, RateLimited, ServerFault, Unreachable, UserExists
from pulumi_openfunnel.operation import SILENT, Operation
from pulumi_openfunnel.provisioning.connections import Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import ProvisionedKey
from pulumi_openfunnel.settings import Settings

from ..servers import (
    INTERNAL_EMAIL,
    USER_KEY,
    Request,
    Script,
    ScriptedServer,
    answer,
    hides_keys,
)
from .provisions import ALICE, Callers, Clock, Console, created

CREATED = created()
HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": 7, "api_key": "' + USER_KEY.encode()
HTML = answer(502, f"<html>{USER_KEY}</html>".encode(), {"Content-Type": "text/html"})


@pytest.fixture
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transient failures are repeated at once, so that a test does not hang on dice."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: 0.0)


class _Unhurried(Pace):
    """A pace that notes what it is asked to wait, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def hold(self, seconds: float, since: float) -> None:
        del since
        self.waits.append(seconds)


class _Paced(Connections):
    """Connections of one pace."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def pace(self, settings: Settings) -> Pace:
        del settings
        return self._pace


@pytest.fixture
def unhurried() -> _Unhurried:
    return _Unhurried()


@pytest.fixture
def unhurried_callers(unhurried: _Unhurried) -> Iterator[Callers]:
    made = Callers(_Paced(unhurried))
    yield made
    made.connections.close()


def _provision(callers: Callers, base_url: str, timeout: float = 10.0) -> ProvisionedKey:
    return provision(callers(base_url, timeout=timeout), ALICE)


def _failure(
    callers: Callers, base_url: str, timeout: float = 10.0, operation: Operation = SILENT
) -> ProvisioningError:
    """The error of a user that is not provisioned: one line that names it and holds no key."""
    with pytest.raises(ProvisioningError) as caught:
        provision(callers(base_url, timeout=timeout, operation=operation), ALICE)
    assert str(caught.value).startswith(f"{INTERNAL_EMAIL}: ")
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return caught.value


def _one_by_one(*answers: bytes) -> Script:
    """Give each request the next answer; the last one for ever."""
    left = list(answers)
    return lambda _request: [left.pop(0) if len(left) > 1 else left[0]]


def _limited(body: object = b"", headers: dict[str, str] | None = None) -> bytes:
    return answer(429, body, headers)


def _details(seconds: object) -> bytes:
    return _limited({"error": "rate_limited", "details": {"retry_after_seconds": seconds}})


class TestTheLoop:
    """``persist`` alone, around requests that are no requests."""

    @staticmethod
    def _failing(*failures: ProvisioningError) -> Callable[[float], str]:
        """Fails with each of these, then succeeds."""
        left = list(failures)

        def request(_seconds: float) -> str:
            if left:
                raise left.pop(0)
            return "done"

        return request

    @staticmethod
    def _persist(request: Callable[[float], str], operation: Operation = SILENT, timeout: float = 10.0) -> str:
        return persist(request, INTERNAL_EMAIL, timeout=timeout, pace=Pace(), operation=operation)

    @pytest.mark.usefixtures("_no_backoff")
    def test_what_may_pass_is_tried_again(self) -> None:
        """However often, until it is done."""
        faults = [ServerFault(INTERNAL_EMAIL, "OpenFunnel answered 500.", 500) for _ in range(60)]
        assert self._persist(self._failing(*faults)) == "done"

    def test_what_lasts_is_raised_as_it_is(self) -> None:
        """The very error, at once, and without a word of how often it was tried."""
        exists = UserExists(INTERNAL_EMAIL, "exists already (409).", 409)
        with pytest.raises(UserExists) as caught:
            self._persist(self._failing(exists))
        assert caught.value is exists
        assert str(caught.value) == f"{INTERNAL_EMAIL}: exists already (409)."

    def test_what_is_no_failure_of_a_users_is_none_of_its_business(self) -> None:
        """A defect is not repeated."""
        asked: list[float] = []

        def request(seconds: float) -> str:
            asked.append(seconds)
            raise KeyError("what")

        with pytest.raises(KeyError):
            self._persist(request)
        assert len(asked) == 1

    def test_each_failure_is_waited_after_and_the_last_one_counts_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The operation sleeps for what the backoff says, until a wait would leave too little of the time."""
        waits: list[float] = []
        now = [100.0]

        def wait(seconds: float) -> None:
            waits.append(seconds)
            now[0] += seconds

        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr(retries, "backoff", float)
        faults = [ServerFault(INTERNAL_EMAIL, f"fault {number}.", 500) for number in range(1, 9)]
        with pytest.raises(ServerFault) as caught:
            self._persist(self._failing(*faults), Operation(wait=wait), timeout=10)
        assert waits == [1, 2, 3]
        assert str(caught.value) == f"{INTERNAL_EMAIL}: fault 4. (Tried 4 times.)"

    def test_a_wait_that_is_cut_short_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An operation whose sleep returns early, as one does that a signal wakes, sleeps on."""
        now, waits = [100.0], list[float]()

        def wait(seconds: float) -> None:
            waits.append(seconds)
            now[0] += 0.4

        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr(retries, "backoff", lambda _attempts: 1.0)
        fault = ServerFault(INTERNAL_EMAIL, "OpenFunnel answered 500.", 500)
        assert self._persist(self._failing(fault), Operation(wait=wait)) == "done"
        assert waits == [pytest.approx(1.0), pytest.approx(0.6), pytest.approx(0.2)]


def test_the_backoff_grows_up_to_half_a_minute() -> None:
    """Anything from nothing to a bound that doubles: 1, 2, 4 … 30 seconds; also after a day of trying."""
    for attempts in range(1, 20):
        bound = min(2 ** (attempts - 1), 30)
        dice = [retries.backoff(attempts) for _ in range(300)]
        assert 0 <= min(dice) < bound / 4
        assert bound * 3 / 4 < max(dice) <= bound
    assert retries.backoff(10_000) <= 30


@pytest.mark.parametrize(
    ("refusal", "at_least", "at_most"),
    [
        (_details(0.4), 0.4, 1.5),
        (_details("0.4"), 0.4, 1.5),
        (_limited(headers={"Retry-After": "1"}), 1.0, 2.2),
        (_limited({"details": {"retry_after_seconds": 0.1}}, {"Retry-After": "0.5"}), 0.5, 1.6),
        (_details(0), 0.0, 1.0),
        (_limited(headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 0.0, 1.0),
        (answer(503, b"<html>", {"Retry-After": "1"}), 1.0, 2.2),
        (answer(503, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 0.0, 1.0),
    ],
    ids=["body", "body as text", "header", "the longer one", "none asked for", "a time gone by", "503", "503, gone by"],
)
def test_a_rate_limit_is_waited_for(
    server: ScriptedServer, callers: Callers, refusal: bytes, at_least: float, at_most: float
) -> None:
    """The next request comes when OpenFunnel asked for it."""
    times: list[float] = []
    script = _one_by_one(refusal, CREATED)

    def timed(request: Request) -> Iterator[bytes]:
        times.append(time.monotonic())
        yield from script(request)

    server.script = timed
    assert _provision(callers, server.base_url).api_key == USER_KEY
    first, second = times
    assert at_least <= second - first < at_most


@pytest.mark.parametrize("refusal", [_limited(), _details("soon")], ids=["not told", "nonsense"])
def test_a_rate_limit_without_a_time_is_waited_for_longer_each_time(
    server: ScriptedServer, unhurried_callers: Callers, unhurried: _Unhurried, refusal: bytes
) -> None:
    """When OpenFunnel does not say for how long, it is 2 seconds, then twice as long each time, up to 30."""
    server.script = _one_by_one(*[refusal] * 6, CREATED)
    assert _provision(unhurried_callers, server.base_url).api_key == USER_KEY
    assert unhurried.waits == [2, 4, 8, 16, 30, 30]


def test_what_a_rate_limit_takes_does_not_count(server: ScriptedServer, callers: Callers) -> None:
    """Waits that OpenFunnel asked for may take longer together than the timeout."""
    server.script = _one_by_one(*[_details(0.3)] * 4, CREATED)
    started = time.monotonic()
    assert _provision(callers, server.base_url, timeout=1).api_key == USER_KEY
    assert time.monotonic() - started >= 1.2


class TestLongWaits:
    """Waits of minutes, on a clock that goes on only when somebody waits."""

    @staticmethod
    def _failure(server: ScriptedServer, callers: Callers, clock: Clock, console: Console) -> ProvisioningError:
        return _failure(callers, server.base_url, 300, replace(console.operation, wait=clock.wait))

    @staticmethod
    def _key(server: ScriptedServer, callers: Callers, clock: Clock, console: Console) -> str:
        caller = callers(server.base_url, timeout=300, operation=replace(console.operation, wait=clock.wait))
        return provision(caller, ALICE).api_key

    @pytest.mark.parametrize(
        "refusal",
        [_details(400), _limited(headers={"Retry-After": "400"}), answer(503, b"busy", {"Retry-After": "400"})],
        ids=["429", "429 by header", "503"],
    )
    def test_one_that_is_longer_than_the_timeout_is_waited_for(
        self, server: ScriptedServer, callers: Callers, clock: Clock, console: Console, refusal: bytes
    ) -> None:
        """It does not count as trying, and is shown; twice 400 s are still less than a quarter of an hour."""
        server.script = _one_by_one(refusal, refusal, CREATED)
        assert self._key(server, callers, clock, console) == USER_KEY
        assert 800 <= clock.waited < 900
        assert re.fullmatch(r"OpenFunnel asked to wait: requests go on in 4\d\d s\.", console.progress[0])

    def test_they_are_counted_together(
        self, server: ScriptedServer, callers: Callers, clock: Clock, console: Console
    ) -> None:
        """A third one would be more than a quarter of an hour: it is not begun."""
        server.script = _one_by_one(_details(400))
        error = self._failure(server, callers, clock, console)
        assert 800 <= clock.waited < 900
        assert len(server.requests) == 3
        assert "which is longer than one user waits (15 minutes). Run pulumi up again then." in str(error)

    @pytest.mark.parametrize("seconds", [1000, 1e9, 1e300])
    @pytest.mark.parametrize("status", [429, 503])
    def test_more_than_a_quarter_of_an_hour_fails_at_once(
        self, server: ScriptedServer, callers: Callers, clock: Clock, console: Console, status: int, seconds: float
    ) -> None:
        """Neither asleep nor busy; the error says until when OpenFunnel wants to be left alone, in a year at the most."""
        server.script = _one_by_one(answer(status, {"details": {"retry_after_seconds": seconds}}))
        began = time.time()
        error = self._failure(server, callers, clock, console)
        assert (clock.waited, len(server.requests)) == (0, 1)
        assert isinstance(error, RateLimited)
        told = re.search(r"OpenFunnel asked to wait until (\S+ \S+) UTC, which is longer", str(error))
        assert told is not None
        until = datetime.strptime(told[1], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc).timestamp()
        asked = min(seconds, 366 * 86400)
        assert began + asked - 60 <= until <= began + asked * 1.1 + 60
        assert "No request was sent" not in str(error)

    def test_who_waits_for_its_first_request_is_not_counted(
        self, server: ScriptedServer, callers: Callers, clock: Clock
    ) -> None:
        """What others were asked to wait before is not one's own; a wait that is too long for anybody sends nothing."""
        server.script = _one_by_one(CREATED)
        caller = callers(server.base_url, operation=Operation(wait=clock.wait))
        pace = caller.connections.pace(caller.settings)
        waits = [800.0, 800.0]

        def wait(seconds: float) -> None:
            clock.wait(seconds)
            if waits and pace._opens <= clock.now:
                pace.hold(waits.pop(), since=clock.now)

        pace.hold(800, since=clock.now)
        assert provision(replace(caller, operation=Operation(wait=wait)), ALICE).api_key == USER_KEY
        assert clock.waited >= 2400
        pace.hold(1000, since=clock.now)
        error = _failure(callers, server.base_url)
        assert "(15 minutes). No request was sent. Run pulumi up again then." in str(error)
        assert len(server.requests) == 1


def test_there_is_an_end_to_rate_limits(server: ScriptedServer, unhurried_callers: Callers) -> None:
    """A server that never answers otherwise is left after 50 requests, and the error says so."""
    server.script = _one_by_one(_details(0))
    error = _failure(unhurried_callers, server.base_url)
    assert isinstance(error, RateLimited)
    assert str(error).endswith("(Tried 50 times.)")
    assert len(server.requests) == 50


@pytest.mark.usefixtures("_no_backoff")
@pytest.mark.parametrize(
    "failure",
    [
        answer(500),
        answer(503, {"error": USER_KEY}),
        answer(408),
        answer(425),
        HTML,
        answer(500, b"x" * 100_000),
        b"",
        HALF,
        b"garbage\r\n\r\n",
    ],
    ids=["500", "503", "408", "425", "502 HTML", "long 500", "dropped", "half a body", "garbage"],
)
def test_a_transient_failure_is_made_good(server: ScriptedServer, callers: Callers, failure: bytes) -> None:
    """Faults of the server and broken connections are tried again until the user is created."""
    server.script = _one_by_one(failure, failure, failure, CREATED)
    assert _provision(callers, server.base_url).api_key == USER_KEY
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("failure", "class_"),
    [(answer(500), ServerFault), (HTML, ServerFault), (b"", Unreachable), (HALF, Unreachable)],
    ids=["500", "502 HTML", "dropped", "half a body"],
)
def test_a_failure_that_lasts_ends_in_time(
    server: ScriptedServer,
    callers: Callers,
    monkeypatch: pytest.MonkeyPatch,
    failure: bytes,
    class_: type[ProvisioningError],
) -> None:
    """An outage ends within the timeout, with the last failure and how often it was tried."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: 0.6)
    server.script = _one_by_one(failure)
    started = time.monotonic()
    error = _failure(callers, server.base_url, timeout=2)
    assert time.monotonic() - started < 4
    assert isinstance(error, class_)
    assert error.may_exist
    assert 2 <= len(server.requests) <= 4
    assert str(error).endswith(f"Run pulumi up again. (Tried {len(server.requests)} times.)")


def test_a_wait_beyond_the_time_fails_at_once(
    server: ScriptedServer, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the next try would come too late, the failure is told now; once is not said to be tried."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: 9.0)
    server.answers(500)
    started = time.monotonic()
    assert "Tried" not in str(_failure(callers, server.base_url, timeout=8))
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
def test_a_definite_refusal_is_not_repeated(server: ScriptedServer, callers: Callers, status: int) -> None:
    """What OpenFunnel refuses for good is asked for once."""
    server.answers(status, {})
    assert not _failure(callers, server.base_url).transient
    assert len(server.requests) == 1


@pytest.mark.usefixtures("_no_backoff")
@pytest.mark.parametrize("status", [401, 403, 407])
def test_somebody_elses_page_is_tried_a_few_times(server: ScriptedServer, callers: Callers, status: int) -> None:
    """It may be one of a load balancer's moment; three of them are that user's failure, and no word of the key."""
    server.script = _one_by_one(answer(status, b"<html>"), answer(status, b"<html>"), CREATED)
    assert _provision(callers, server.base_url).api_key == USER_KEY
    server.requests.clear()
    server.answers(status, b"<html>")
    error = _failure(callers, server.base_url)
    assert isinstance(error, ForeignPage)
    assert str(error).endswith("(Tried 3 times.)")
    assert "provisioner key" not in str(error)
    assert len(server.requests) == 3


class TestAName:
    """A name that does not resolve."""

    def test_it_ends_within_half_a_minute(
        self, callers: Callers, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However long the timeout; in that time it is tried again, because resolvers have their moments."""
        monkeypatch.setattr(socket, "getaddrinfo", _unresolvable)
        operation = Operation(wait=clock.wait)
        error = _failure(callers, "https://api.openfunnel.dev", 300, operation)
        assert isinstance(error, Unreachable)
        assert not error.may_exist
        assert str(error).startswith(
            f"{INTERNAL_EMAIL}: the name of openfunnel:baseUrl does not resolve. Nothing was created. Check openfunnel:baseUrl"
        )
        assert error.attempts > 1
        assert clock.waited <= 30

    def test_a_short_timeout_is_kept(self, callers: Callers, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half a minute is the most."""
        monkeypatch.setattr(socket, "getaddrinfo", _unresolvable)
        _failure(callers, "https://api.openfunnel.dev", 5, Operation(wait=clock.wait))
        assert clock.waited <= 5


def _unresolvable(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.usefixtures("_no_backoff")
def test_a_refusal_after_failures_ends_it(server: ScriptedServer, callers: Callers) -> None:
    """A definite answer ends the trying, however many transient ones came before."""
    server.script = _one_by_one(answer(500), b"", answer(409))
    assert isinstance(_failure(callers, server.base_url), UserExists)
    assert len(server.requests) == 3


def _never(_request: Request) -> Iterator[bytes]:
    yield b""


def _endless(_request: Request) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(10):
        yield b"1\r\n \r\n"


def _headers(_request: Request) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: 1\r\n"


def _one_byte_at_a_time(_request: Request) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
    while True:
        yield b" "


@pytest.mark.parametrize("script", [_never, _endless, _headers, _one_byte_at_a_time])
def test_an_answer_without_an_end_ends_in_time(server: ScriptedServer, callers: Callers, script: Script) -> None:
    """A server that holds its answer, or lets headers or body trickle, takes no longer than the timeout."""

    def slowly(request: Request) -> Iterator[bytes]:
        for chunk in script(request):
            yield chunk
            if server.released.wait(0.05):
                return
        server.released.wait(30)

    server.script = slowly
    started = time.monotonic()
    error = _failure(callers, server.base_url, timeout=0.6)
    took = time.monotonic() - started
    server.released.set()
    assert 0.5 < took < 1.8
    assert isinstance(error, Unreachable)
    assert error.may_exist
    assert "did not answer in time" in str(error)


def test_a_server_that_comes_up_late_is_found(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused connections are tried again until somebody listens."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: 0.1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))

        def come_up() -> None:
            time.sleep(0.3)
            listener.listen()
            connection, _ = listener.accept()
            with connection:
                while b"}" not in connection.recv(65536):  # what is not read would break the connection
                    pass
                connection.sendall(CREATED)

        thread = threading.Thread(target=come_up)
        thread.start()
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert _provision(callers, base_url, timeout=30).api_key == USER_KEY
        thread.join()


def test_nobody_there_creates_nothing(callers: Callers) -> None:
    """Refused connections end within the timeout, and the error says that nothing was created."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        error = _failure(callers, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.3)
    assert isinstance(error, Unreachable)
    assert not error.may_exist
    assert "Nothing was created" in str(error)
