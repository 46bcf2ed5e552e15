"""Whose key it is: another end user's, an adopted one, one that moved, one that left its stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnotherEndUser, InProgress, KeyNotTried, KeyRefused, LedgerUnusable
from pulumi_openfunnel.ledger.ledger import Status
from pulumi_openfunnel.provisioning import connections as shared
from pulumi_openfunnel.provisioning.create import EndUser, adopt, check_end_user, hold, provision, release
from pulumi_openfunnel.provisioning.verify import ProvisionedKey, fingerprint
from pulumi_openfunnel.settings import Settings
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY, ScriptedServer, answer, hides_keys
from .processes import line, process
from .provisions import ALICE, NEW_KEY, another_process, created, creates, failure, rows, scripted, settings_for
from .rows import ASKER

ALSO_ALICE = EndUser("alice@another-startup.com", INTERNAL_EMAIL)
BOB = EndUser("bob@bob.com", "bob@orchestrator.com")
KEY = ProvisionedKey("7", USER_KEY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    yield
    another_process()
    for client in shared._clients.values():
        client.close()
    shared._clients.clear()
    shared._paces.clear()


@pytest.fixture
def settings(server: ScriptedServer, path: Path) -> Settings:
    """Settings of a server that creates alice, and accepts every key."""
    scripted(server, created())
    return settings_for(server.base_url, path)


def _refused(action: Callable[[], object], class_: type[Exception]) -> str:
    with pytest.raises(class_) as caught:
        action()
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return str(caught.value)


class TestAnotherEndUser:
    """One internal email, two end users."""

    def test_it_is_refused_before_any_request(self, server: ScriptedServer, settings: Settings) -> None:
        """The second end user is not asked for, and the error names the first one and the ways out."""
        provision(settings, ALICE)
        another_process()
        before = len(server.requests)
        message = failure(settings, AnotherEndUser, ALSO_ALICE)
        assert message == _refused(lambda: check_end_user(settings, ALSO_ALICE), AnotherEndUser)
        assert message.startswith(f"{INTERNAL_EMAIL}: the ledger knows it as the user of {ALICE.email}")
        assert all(way in message for way in ("prefix", "email_mapping", f"ledger forget {ALICE.email}"))
        assert "Nothing was asked for" in message
        assert len(server.requests) == before
        check_end_user(settings, ALICE)
        check_end_user(settings, BOB)

    def test_it_gets_no_key_that_openfunnel_hands_out_again(self, path: Path) -> None:
        """Where OpenFunnel answers with the first customer's key, the second customer does not get it."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts) as base_url:
            provision(settings_for(base_url, path), ALICE)
            failure(settings_for(base_url, path), AnotherEndUser, ALSO_ALICE)
        assert len(accounts.record.entries) == 1

    def test_a_key_of_another_user_is_not_handed_over(self, server: ScriptedServer, settings: Settings) -> None:
        """A server that answers a new user with a key that another one holds: it is kept, and not used."""
        provision(settings, ALICE)
        scripted(server, created(email=BOB.internal_email))
        message = failure(settings, AnotherEndUser, BOB)
        assert f"{INTERNAL_EMAIL} ({ALICE.email})" in message
        assert fingerprint(USER_KEY) in message
        assert [(row.status, row.problem) for row in rows(settings.ledger or Path())] == [
            (Status.ISSUED, None),
            (Status.ANSWERED, "its key is another user's"),
        ]
        another_process()
        failure(settings, AnotherEndUser, BOB)  # it is not used later either

    def test_a_forgotten_one_stands_in_nobodys_way(self, settings: Settings, path: Path) -> None:
        """After ledger forget, the other end user is asked for."""
        provision(settings, ALICE)
        shared.ledger_at(path).forget(rows(path))
        assert provision(settings, ALSO_ALICE).api_key == USER_KEY


class TestAdoption:
    """A key that the program brings."""

    def test_it_is_tried_and_kept(self, server: ScriptedServer, settings: Settings, path: Path) -> None:
        """An adopted key comes back like a provisioned one, without a request for another."""
        assert adopt(settings, ALICE, f" {USER_KEY}\n") == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        another_process()
        assert provision(settings, ALICE) == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        assert creates(server) == 0
        assert [row.status for row in rows(path)] == [Status.ISSUED]

    @pytest.mark.parametrize(
        ("status", "class_"),
        [(401, KeyRefused), (403, KeyNotTried), (429, KeyNotTried), (500, KeyNotTried), (302, KeyNotTried)],
    )
    def test_one_that_is_not_known_to_work_is_not_kept(
        self, server: ScriptedServer, settings: Settings, path: Path, status: int, class_: type[Exception]
    ) -> None:
        """What OpenFunnel does not accept is not written anywhere."""
        server.answers(status)
        assert "Nothing was stored" in _refused(lambda: adopt(settings, ALICE, USER_KEY), class_)
        assert not path.exists()

    def test_a_key_is_adopted_once(self, settings: Settings, path: Path) -> None:
        """The second user that brings a key is refused, with the first one's name; the first one keeps it."""
        adopt(settings, ALICE, USER_KEY)
        before = rows(path)
        message = _refused(lambda: adopt(settings, BOB, USER_KEY), AnotherEndUser)
        assert message.startswith(f"{BOB.internal_email}: existing_api_key is the key of")
        assert f"{INTERNAL_EMAIL} ({ALICE.email})" in message
        _refused(lambda: adopt(settings, ALSO_ALICE, NEW_KEY), AnotherEndUser)
        assert rows(path) == before

    def test_the_same_user_may_adopt_again(self, settings: Settings, path: Path) -> None:
        """The same key again is the same row; another one takes its place."""
        for key in (USER_KEY, USER_KEY, NEW_KEY):
            adopt(settings, ALICE, key)
        assert [(row.status, row.fingerprint) for row in rows(path)] == [
            (Status.DEAD, fingerprint(USER_KEY)),
            (Status.ISSUED, fingerprint(NEW_KEY)),
        ]

    def test_it_waits_for_nobody(self, settings: Settings, path: Path) -> None:
        """While another run asks for the user, an adoption is refused, and nothing is written."""
        with process(ASKER, str(path), settings.base_url, ORCHESTRATOR, INTERNAL_EMAIL, ALICE.email) as child:
            assert line(child) == "True"
            before = rows(path)
            message = _refused(lambda: adopt(settings, ALICE, USER_KEY), InProgress)
            assert "another run is asking for it right now" in message
            assert rows(path) == before

    def test_without_a_seal_it_is_only_looked_at(self, settings: Settings, path: Path) -> None:
        """With no key to seal under nothing is written, but another's key is still refused."""
        unsealed = replace(settings, api_key=None)
        adopt(unsealed, ALICE, USER_KEY)
        assert rows(path) == []
        adopt(settings, ALICE, USER_KEY)
        _refused(lambda: adopt(unsealed, BOB, USER_KEY), AnotherEndUser)

    def test_without_a_ledger_nothing_is_compared(self, settings: Settings) -> None:
        """With the ledger off, each adoption stands alone."""
        off = replace(settings, ledger=None)
        assert adopt(off, ALICE, USER_KEY).api_key == adopt(off, BOB, USER_KEY).api_key

    def test_without_a_usable_ledger_it_fails(self, settings: Settings, tmp_path: Path) -> None:
        """A ledger that cannot be written is an error, not a key that is kept nowhere."""
        _refused(lambda: adopt(replace(settings, ledger=tmp_path), ALICE, USER_KEY), LedgerUnusable)


class TestAMove:
    """A user and its key that now stand for another address."""

    def test_the_key_goes_along(self, server: ScriptedServer, settings: Settings, path: Path) -> None:
        """After the move the key comes back for the new address, and for the old one no more."""
        key = provision(settings, ALICE)
        hold(settings, ALSO_ALICE, key, moved_from=ALICE.email)
        another_process()
        assert provision(settings, ALSO_ALICE).api_key == USER_KEY
        failure(settings, AnotherEndUser, ALICE)
        assert creates(server) == 1
        assert [row.identity.email for row in rows(path)] == [ALSO_ALICE.email]

    def test_it_may_bring_another_key(self, settings: Settings, path: Path) -> None:
        """A move with another key at the same time leaves the old key dead, and the new one is the user's."""
        provision(settings, ALICE)
        hold(settings, ALSO_ALICE, ProvisionedKey("7", NEW_KEY), moved_from=ALICE.email)
        assert [(row.identity.email, row.status) for row in rows(path)] == [
            (ALICE.email, Status.DEAD),
            (ALSO_ALICE.email, Status.ISSUED),
        ]

    def test_it_is_not_refused_for_its_own_past(self, settings: Settings) -> None:
        """A user that had another key under the address before can be checked, and given a third key."""
        provision(settings, ALICE)
        second = ProvisionedKey("7", NEW_KEY)
        hold(settings, ALICE, second)
        hold(settings, ALSO_ALICE, second, moved_from=ALICE.email)
        hold(settings, ALSO_ALICE, ProvisionedKey("7", "of_third"))
        check_end_user(settings, ALSO_ALICE)

    def test_it_is_refused_without_the_address_before(self, settings: Settings, path: Path) -> None:
        """An update that does not say where a user came from is another end user's."""
        key = provision(settings, ALICE)
        before = rows(path)
        _refused(lambda: hold(settings, ALSO_ALICE, key), AnotherEndUser)
        _refused(lambda: hold(settings, ALSO_ALICE, key, moved_from=BOB.email), AnotherEndUser)
        assert rows(path) == before


class TestARelease:
    """A key that leaves its stack."""

    def test_it_comes_back(self, server: ScriptedServer, settings: Settings, path: Path) -> None:
        """Destroy, then up: the same key, without a request."""
        key = provision(settings, ALICE)
        assert release(path, settings, ALICE, key, revoked=False)
        assert [row.status for row in rows(path)] == [Status.RELEASED]
        another_process()
        assert provision(settings, ALICE).api_key == USER_KEY
        assert creates(server) == 1
        assert [row.status for row in rows(path)] == [Status.ISSUED]

    def test_a_revoked_one_does_not(self, server: ScriptedServer, settings: Settings, path: Path) -> None:
        """A key that was seen revoked is dead, and OpenFunnel is asked for another."""
        key = provision(settings, ALICE)
        assert release(path, settings, ALICE, key, revoked=True)
        scripted(server, created(NEW_KEY))
        assert provision(settings, ALICE).api_key == NEW_KEY
        assert [row.status for row in rows(path)] == [Status.DEAD, Status.ISSUED]

    def test_it_needs_no_settings_when_the_key_is_there(self, settings: Settings, path: Path) -> None:
        """A destroy without settings marks a key that the ledger holds."""
        key = provision(settings, ALICE)
        assert release(path, None, ALICE, key, revoked=False)
        assert [row.status for row in rows(path)] == [Status.RELEASED]

    @pytest.mark.parametrize("sealed", [True, False], ids=["with a key", "without"])
    def test_a_key_of_the_state_alone_is_taken_in(self, settings: Settings, path: Path, sealed: bool) -> None:
        """A key that only the state held is kept where there is a key to seal it under; if not, that is told."""
        known = settings if sealed else replace(settings, api_key=None)
        assert release(path, known, ALICE, KEY, revoked=False) == sealed
        assert path.exists() == sealed
        assert not release(path.with_name("other.db"), None, ALICE, KEY, revoked=False)
        assert not path.with_name("other.db").exists()
        if sealed:
            assert provision(settings, ALICE) == KEY

    def test_a_ledger_that_cannot_be_written_is_told(self, settings: Settings, tmp_path: Path) -> None:
        """A release into a broken ledger is an error, so that nobody believes the key is kept."""
        _refused(lambda: release(tmp_path, settings, ALICE, KEY, revoked=False), LedgerUnusable)


def test_an_answer_without_a_word_of_whose_it_is(server: ScriptedServer, settings: Settings, path: Path) -> None:
    """Another end user is refused also where the first one's answer was never believed."""
    scripted(server, answer(200, b"{}"))
    with pytest.raises(Exception, match="no"):
        provision(settings, ALICE)
    failure(settings, AnotherEndUser, ALSO_ALICE)
    assert creates(server) == len(rows(path)) == 1
