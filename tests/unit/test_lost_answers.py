"""Requests whose answer was lost, ledgers that fail after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_openfunnel.api import retries
from pulumi_openfunnel.errors import LedgerUnusable, ProvisioningError, RequestRefused, ServerFault, Stopped, UserExists
from pulumi_openfunnel.ledger.rows import Status
from pulumi_openfunnel.operation import Operation
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser
from pulumi_openfunnel.provisioning.ownership import check_end_user

from ..servers import (
    INTERNAL_EMAIL,
    PROVISIONER_KEY,
    USER_KEY,
    Request,
    ScriptedServer,
    answer,
)
from .provisions import (
    ALICE,
    Callers,
    Console,
    another_process,
    created,
    creates,
    failure,
    rows,
    scripted,
)

CONFLICT = answer(409)
MAY_EXIST = "An earlier request, whose answer was lost, may have created the user."


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transient failures are repeated at once, so that a test does not hang on dice."""
    monkeypatch.setattr(retries, "backoff", lambda _attempts: 0.0)


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
    def test_this_run_did(self, server: ScriptedServer, callers: Callers, path: Path, lost: bytes) -> None:
        """An ambiguous failure, then 409: the error says that a request of this run probably created it."""
        _answers(server, lost, CONFLICT)
        caller = callers(server.base_url, path)
        message = failure(caller, UserExists)
        assert "A request of this run, whose answer was lost, probably created it." in message
        assert "existing_api_key" in message
        open_ = rows(caller)[0]
        assert (open_.status, open_.unanswered, open_.asking) == (Status.ASKED, 1, False)

    def test_an_earlier_run_did(
        self, server: ScriptedServer, callers: Callers, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An ambiguous failure, then 409 in a later run: the error says that an earlier run probably created it."""
        caller = callers(server.base_url, path)
        monkeypatch.setattr(retries, "backoff", lambda _attempts: 9.0)  # longer than the timeout: one request
        _answers(server, answer(500))
        failure(caller, ServerFault)
        another_process(caller)
        _answers(server, CONFLICT)
        message = failure(caller, UserExists)
        assert "A request of an earlier run, whose answer was lost, probably created it." in message

    @pytest.mark.parametrize(
        "before", [answer(429, {"details": {"retry_after_seconds": 0}}), None], ids=["429", "none"]
    )
    def test_nobody_here_did(self, server: ScriptedServer, callers: Callers, path: Path, before: bytes | None) -> None:
        """A user that exists, when no answer was lost, is not said to be ours, and the row is closed."""
        _answers(server, *([before] if before else []), CONFLICT)
        caller = callers(server.base_url, path)
        message = failure(caller, UserExists)
        assert "probably" not in message
        assert "its key cannot be read" in message
        assert [(row.status, row.unanswered) for row in rows(caller)] == [(Status.REFUSED, 0)]

    def test_what_never_went_out_is_no_lost_answer(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """A cancel before the first request leaves nothing that a later 409 is blamed on, and binds nobody."""
        caller = callers(server.base_url, path)
        with pytest.raises(Stopped) as caught:
            provision(replace(caller, operation=Operation(stopping=lambda: True)), ALICE)
        assert MAY_EXIST not in str(caught.value)
        assert server.requests == []
        check_end_user(caller, EndUser("alice@another-startup.com", INTERNAL_EMAIL))
        another_process(caller)
        _answers(server, CONFLICT)
        assert "probably" not in failure(caller, UserExists)

    def test_the_start_of_an_answer_is_kept(self, server: ScriptedServer, callers: Callers, path: Path) -> None:
        """A 2xx that broke off is kept, sealed, and the error of the 409 that follows says where."""
        _answers(server, created()[:-5], CONFLICT)
        caller = callers(server.base_url, path)
        message = failure(caller, UserExists)
        assert "What came of its answer is kept, sealed" in message
        assert [row.problem for row in rows(caller)] == [None, "its connection broke off"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_closes_the_intent(server: ScriptedServer, callers: Callers, path: Path, status: int) -> None:
    """What OpenFunnel refuses for good leaves no open row, and a later run asks again."""
    caller = callers(server.base_url, path)
    _answers(server, answer(status, {}), created())
    with pytest.raises(Exception, match=str(status) if status in (401, 403) else "OpenFunnel answered"):
        provision(caller, ALICE)
    assert [(row.status, row.attempts) for row in rows(caller)] == [(Status.REFUSED, 1)]
    another_process(caller)
    assert provision(caller, ALICE).api_key == USER_KEY
    assert [row.status for row in rows(caller)] == [Status.REFUSED, Status.ISSUED]


def test_a_refusal_after_a_lost_answer_closes_nothing(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """A user that may exist stays an open question, whatever is refused afterwards."""
    _answers(server, b"", answer(422))
    caller = callers(server.base_url, path)
    failure(caller, RequestRefused)
    assert [(row.status, row.attempts, row.unanswered) for row in rows(caller)] == [(Status.ASKED, 2, 1)]


@pytest.mark.parametrize("lost", [answer(500), b""], ids=["500", "dropped"])
@pytest.mark.parametrize("then", [None, 422, 401], ids=["a stop", "422", "401"])
def test_an_error_after_a_lost_answer_says_what_may_be(
    server: ScriptedServer, callers: Callers, path: Path, lost: bytes, then: int | None
) -> None:
    """An error that created nothing itself says that an earlier request may have, also where that was another run's."""
    operation = Operation(stopping=lambda: then is None and bool(server.requests))
    caller = callers(server.base_url, path, operation=operation)
    for expected in (2, 3) if then else (1,):
        _answers(server, *([lost] if expected < 3 else []), answer(then or 500, {}))
        with pytest.raises(ProvisioningError) as caught:
            provision(caller, ALICE)
        assert not caught.value.may_exist
        assert str(caught.value).endswith(f". {MAY_EXIST}")
        assert str(caught.value).isprintable()
        assert len(server.requests) == expected
        another_process(caller)


@pytest.mark.parametrize("before", [answer(429, {"details": {"retry_after_seconds": 0}}), None], ids=["429", "none"])
def test_an_error_after_no_lost_answer_does_not(
    server: ScriptedServer, callers: Callers, path: Path, before: bytes | None
) -> None:
    """Where every answer is known, nothing is said of what may be."""
    _answers(server, *([before] if before else []), answer(422))
    assert MAY_EXIST not in failure(callers(server.base_url, path), RequestRefused)


def test_a_ledger_that_fails_between_two_requests_does_not_say_that_none_was_made(
    server: ScriptedServer, callers: Callers, path: Path
) -> None:
    """Where the first request may have created the user, the ledger's error says so."""

    def create(_request: Request) -> Iterable[bytes]:
        path.rename(path.with_name("kept.db"))
        return [answer(500)]

    scripted(server, create)
    with pytest.raises(LedgerUnusable) as caught:
        provision(callers(server.base_url, path), ALICE)
    assert str(caught.value).endswith(f". {MAY_EXIST}")
    assert "No request was sent" not in str(caught.value)
    assert creates(server) == 1


def test_a_ledger_that_failed_once_is_used_again(server: ScriptedServer, callers: Callers, path: Path) -> None:
    """After an answer that could not be written, this process is not at the row any more: the next one asks at once."""

    def create(_request: Request) -> Iterable[bytes]:
        path.rename(path.with_name("kept.db"))
        return [created()]

    scripted(server, create)
    caller = callers(server.base_url, path)
    assert provision(caller, ALICE).api_key == USER_KEY
    path.with_name("kept.db").rename(path)
    scripted(server, CONFLICT)
    assert "A request of an earlier run" in failure(caller, UserExists)


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_ledger_that_fails_after_the_answer_loses_no_key(
    server: ScriptedServer, callers: Callers, path: Path, console: Console, replaced: bool
) -> None:
    """A valid key whose answer could not be written is handed over, with a warning that names its user."""

    def create(_request: Request) -> Iterable[bytes]:
        path.rename(path.with_name("kept.db"))
        if replaced:
            path.touch()
        return [created()]

    scripted(server, create)
    caller = callers(server.base_url, path, operation=console.operation)
    assert provision(caller, ALICE).api_key == USER_KEY
    (warning,) = console.warnings
    assert warning.startswith(f"{INTERNAL_EMAIL}: key in Pulumi's state alone, because the ledger ")
    assert str(path) in warning
    assert warning.isprintable()
    assert not any(text in warning for text in (USER_KEY, PROVISIONER_KEY, "No request was sent"))


def test_a_row_is_on_the_disk_while_the_request_is_on_its_way(
    server: ScriptedServer, callers: Callers, path: Path
) -> None:
    """Before OpenFunnel hears of a user, its row is there; before its answer is looked at, the answer is."""
    seen: list[tuple[Status, int, int]] = []

    def create(_request: Request) -> Iterable[bytes]:
        seen.extend((row.status, row.attempts, row.unanswered) for row in rows(caller))
        return [answer(500) if len(seen) == 1 else created()]

    scripted(server, create)
    caller = callers(server.base_url, path)
    provision(caller, ALICE)
    assert seen == [(Status.ASKED, 1, 1), (Status.ASKED, 2, 2)]
