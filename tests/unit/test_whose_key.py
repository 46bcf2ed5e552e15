"""Whose key it is: another end user's, an adopted one, one that moved, one that left its stack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnotherEndUser, InProgress, KeyNotTried, KeyRefused, LedgerUnusable
from pulumi_openfunnel.ledger.rows import Status
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey, fingerprint
from pulumi_openfunnel.provisioning.ownership import adopt, check_end_user, hold, release
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY, ScriptedServer, answer, hides_keys
from .processes import line, process
from .provisions import (
    ALICE,
    NEW_KEY,
    Callers,
    another_process,
    created,
    creates,
    failure,
    ledger_of,
    rows,
    scripted,
    with_settings,
)
from .rows import ASKER

ALSO_ALICE = EndUser("alice@another-startup.com", INTERNAL_EMAIL)
BOB = EndUser("bob@bob.com", "bob@orchestrator.com")
KEY = ProvisionedKey("7", USER_KEY)


@pytest.fixture
def caller(server: ScriptedServer, callers: Callers, path: Path) -> Caller:
    """Asks a server that creates alice, and accepts every key."""
    scripted(server, created())
    return callers(server.base_url, path)


def _release(caller: Caller, key: ProvisionedKey, *, revoked: bool) -> bool:
    """Release alice's key into the caller's ledger."""
    return release(caller.connections, caller.settings.ledger or Path(), caller, ALICE, key, revoked=revoked)


def _refused(action: Callable[[], object], class_: type[Exception]) -> str:
    with pytest.raises(class_) as caught:
        action()
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return str(caught.value)


class TestAnotherEndUser:
    """One internal email, two end users."""

    def test_it_is_refused_before_any_request(self, server: ScriptedServer, caller: Caller) -> None:
        """The second end user is not asked for, and the error names the first one and the ways out."""
        provision(caller, ALICE)
        another_process(caller)
        before = len(server.requests)
        message = failure(caller, AnotherEndUser, ALSO_ALICE)
        assert message == _refused(lambda: check_end_user(caller, ALSO_ALICE), AnotherEndUser)
        assert message.startswith(f"{INTERNAL_EMAIL}: the ledger knows it as the user of {ALICE.email}")
        assert all(way in message for way in ("prefix", "email_mapping", f"ledger forget {ALICE.email}"))
        assert "No request was sent." in message
        assert len(server.requests) == before
        check_end_user(caller, ALICE)
        check_end_user(caller, BOB)

    def test_it_gets_no_key_that_openfunnel_hands_out_again(self, callers: Callers, path: Path) -> None:
        """Where OpenFunnel answers with the first customer's key, the second customer does not get it."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts) as base_url:
            provision(callers(base_url, path), ALICE)
            failure(callers(base_url, path), AnotherEndUser, ALSO_ALICE)
        assert len(accounts.record.entries) == 1

    def test_a_key_of_another_user_is_not_handed_over(self, server: ScriptedServer, caller: Caller) -> None:
        """A server that answers a new user with a key that another one holds: it is kept, and not used."""
        provision(caller, ALICE)
        scripted(server, created(email=BOB.internal_email))
        message = failure(caller, AnotherEndUser, BOB)
        assert f"{INTERNAL_EMAIL} ({ALICE.email})" in message
        assert fingerprint(USER_KEY) in message
        assert [(row.status, row.problem) for row in rows(caller)] == [
            (Status.ISSUED, None),
            (Status.ANSWERED, "its key is another user's"),
        ]
        another_process(caller)
        failure(caller, AnotherEndUser, BOB)  # it is not used later either

    def test_a_forgotten_one_stands_in_nobodys_way(self, caller: Caller) -> None:
        """After ledger forget, the other end user is asked for."""
        provision(caller, ALICE)
        ledger_of(caller).forget(rows(caller))
        assert provision(caller, ALSO_ALICE).api_key == USER_KEY


class TestAdoption:
    """A key that the program brings."""

    def test_it_is_tried_and_kept(self, server: ScriptedServer, caller: Caller) -> None:
        """An adopted key comes back like a provisioned one, without a request for another."""
        assert adopt(caller, ALICE, f" {USER_KEY}\n") == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        another_process(caller)
        assert provision(caller, ALICE) == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        assert creates(server) == 0
        assert [row.status for row in rows(caller)] == [Status.ISSUED]

    @pytest.mark.parametrize(
        ("status", "class_"),
        [(401, KeyRefused), (403, KeyNotTried), (429, KeyNotTried), (500, KeyNotTried), (302, KeyNotTried)],
    )
    def test_one_that_is_not_known_to_work_is_not_kept(
        self, server: ScriptedServer, caller: Caller, path: Path, status: int, class_: type[Exception]
    ) -> None:
        """What OpenFunnel does not accept is not written anywhere."""
        server.answers(status, {})
        assert "Nothing was stored" in _refused(lambda: adopt(caller, ALICE, USER_KEY), class_)
        assert not path.exists()

    def test_a_key_is_adopted_once(self, caller: Caller) -> None:
        """The second user that brings a key is refused, with the first one's name; the first one keeps it."""
        adopt(caller, ALICE, USER_KEY)
        before = rows(caller)
        message = _refused(lambda: adopt(caller, BOB, USER_KEY), AnotherEndUser)
        assert message.startswith(f"{BOB.internal_email}: existing_api_key is the key of")
        assert f"{INTERNAL_EMAIL} ({ALICE.email})" in message
        _refused(lambda: adopt(caller, ALSO_ALICE, NEW_KEY), AnotherEndUser)
        assert rows(caller) == before

    def test_the_same_user_may_adopt_again(self, caller: Caller) -> None:
        """The same key again is the same row; another one takes its place."""
        for key in (USER_KEY, USER_KEY, NEW_KEY):
            adopt(caller, ALICE, key)
        assert [(row.status, row.fingerprint) for row in rows(caller)] == [
            (Status.DEAD, fingerprint(USER_KEY)),
            (Status.ISSUED, fingerprint(NEW_KEY)),
        ]

    def test_it_waits_for_nobody(self, caller: Caller, path: Path) -> None:
        """While another run asks for the user, an adoption is refused, and nothing is written."""
        with process(ASKER, str(path), caller.settings.base_url, ORCHESTRATOR, INTERNAL_EMAIL, ALICE.email) as child:
            assert line(child) == "True"
            before = rows(caller)
            message = _refused(lambda: adopt(caller, ALICE, USER_KEY), InProgress)
            assert "another run is creating this user. No request was sent." in message
            assert rows(caller) == before

    def test_without_a_seal_it_is_only_looked_at(self, caller: Caller) -> None:
        """With no key to seal under nothing is written, but another's key is still refused."""
        unsealed = with_settings(caller, api_key=None)
        adopt(unsealed, ALICE, USER_KEY)
        assert rows(caller) == []
        adopt(caller, ALICE, USER_KEY)
        _refused(lambda: adopt(unsealed, BOB, USER_KEY), AnotherEndUser)

    def test_without_a_ledger_nothing_is_compared(self, caller: Caller) -> None:
        """With the ledger off, each adoption stands alone."""
        off = with_settings(caller, ledger=None)
        assert adopt(off, ALICE, USER_KEY).api_key == adopt(off, BOB, USER_KEY).api_key

    def test_without_a_usable_ledger_it_fails(self, caller: Caller, tmp_path: Path) -> None:
        """A ledger that cannot be written is an error, not a key that is kept nowhere."""
        _refused(lambda: adopt(with_settings(caller, ledger=tmp_path), ALICE, USER_KEY), LedgerUnusable)


class TestAMove:
    """A user and its key that now stand for another address."""

    def test_the_key_goes_along(self, server: ScriptedServer, caller: Caller) -> None:
        """After the move the key comes back for the new address, and for the old one no more."""
        key = provision(caller, ALICE)
        hold(caller, ALSO_ALICE, key, moved_from=ALICE.email)
        another_process(caller)
        assert provision(caller, ALSO_ALICE).api_key == USER_KEY
        failure(caller, AnotherEndUser, ALICE)
        assert creates(server) == 1
        assert [row.identity.email for row in rows(caller)] == [ALSO_ALICE.email]

    def test_it_may_bring_another_key(self, caller: Caller) -> None:
        """A move with another key at the same time leaves the old key dead, and the new one is the user's."""
        provision(caller, ALICE)
        hold(caller, ALSO_ALICE, ProvisionedKey("7", NEW_KEY), moved_from=ALICE.email)
        assert [(row.identity.email, row.status) for row in rows(caller)] == [
            (ALICE.email, Status.DEAD),
            (ALSO_ALICE.email, Status.ISSUED),
        ]

    def test_it_is_not_refused_for_its_own_past(self, caller: Caller) -> None:
        """A user that had another key under the address before can be checked, and given a third key."""
        provision(caller, ALICE)
        second = ProvisionedKey("7", NEW_KEY)
        hold(caller, ALICE, second)
        hold(caller, ALSO_ALICE, second, moved_from=ALICE.email)
        hold(caller, ALSO_ALICE, ProvisionedKey("7", "of_third"))
        check_end_user(caller, ALSO_ALICE)

    def test_it_is_refused_without_the_address_before(self, caller: Caller) -> None:
        """An update that does not say where a user came from is another end user's."""
        key = provision(caller, ALICE)
        before = rows(caller)
        _refused(lambda: hold(caller, ALSO_ALICE, key), AnotherEndUser)
        _refused(lambda: hold(caller, ALSO_ALICE, key, moved_from=BOB.email), AnotherEndUser)
        assert rows(caller) == before


class TestARelease:
    """A key that leaves its stack."""

    def test_it_comes_back(self, server: ScriptedServer, caller: Caller) -> None:
        """Destroy, then up: the same key, without a request."""
        key = provision(caller, ALICE)
        assert _release(caller, key, revoked=False)
        assert [row.status for row in rows(caller)] == [Status.RELEASED]
        another_process(caller)
        assert provision(caller, ALICE).api_key == USER_KEY
        assert creates(server) == 1
        assert [row.status for row in rows(caller)] == [Status.ISSUED]

    def test_a_revoked_one_does_not(self, server: ScriptedServer, caller: Caller) -> None:
        """A key that was seen revoked is dead, and OpenFunnel is asked for another."""
        key = provision(caller, ALICE)
        assert _release(caller, key, revoked=True)
        scripted(server, created(NEW_KEY))
        assert provision(caller, ALICE).api_key == NEW_KEY
        assert [row.status for row in rows(caller)] == [Status.DEAD, Status.ISSUED]

    def test_it_needs_no_settings_when_the_key_is_there(self, caller: Caller, path: Path) -> None:
        """A destroy without settings marks a key that the ledger holds."""
        key = provision(caller, ALICE)
        assert release(caller.connections, path, None, ALICE, key, revoked=False)
        assert [row.status for row in rows(caller)] == [Status.RELEASED]

    @pytest.mark.parametrize("sealed", [True, False], ids=["with a key", "without"])
    def test_a_key_of_the_state_alone_is_taken_in(self, caller: Caller, path: Path, sealed: bool) -> None:
        """A key that only the state held is kept where there is a key to seal it under; if not, that is told."""
        known = caller if sealed else with_settings(caller, api_key=None)
        assert release(caller.connections, path, known, ALICE, KEY, revoked=False) == sealed
        assert path.exists() == sealed
        assert not release(caller.connections, path.with_name("other.db"), None, ALICE, KEY, revoked=False)
        assert not path.with_name("other.db").exists()
        if sealed:
            assert provision(caller, ALICE) == KEY

    def test_a_ledger_that_cannot_be_written_is_told(self, caller: Caller, tmp_path: Path) -> None:
        """A release into a broken ledger is an error, so that nobody believes the key is kept."""
        _refused(lambda: release(caller.connections, tmp_path, caller, ALICE, KEY, revoked=False), LedgerUnusable)


def test_an_answer_without_a_word_of_whose_it_is(server: ScriptedServer, caller: Caller) -> None:
    """Another end user is refused also where the first one's answer was never believed."""
    scripted(server, answer(200, b"{}"))
    with pytest.raises(Exception, match="no"):
        provision(caller, ALICE)
    failure(caller, AnotherEndUser, ALSO_ALICE)
    assert creates(server) == len(rows(caller)) == 1
