"""Whose key it is: another end user's, an adopted one, one that moved, one that left its stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from pulumi_openfunnel.errors import AnotherEndUser, InProgress, KeyNotTried, KeyRefused, LedgerUnusable
from pulumi_openfunnel.ledger.upkeep import Outcome, forget
from pulumi_openfunnel.places import FilePlace
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey, fingerprint
from pulumi_openfunnel.provisioning.ownership import adopt, check_end_users, hold, release
from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY, ScriptedServer, answer, hides_keys
from .processes import ASKER, line, process
from .provisions import (
    ALICE,
    LEDGER_KEY,
    NEW_KEY,
    Callers,
    another_process,
    created,
    creates,
    failure,
    identity,
    ledger_of,
    provisioned,
    rows,
    scripted,
    told,
    with_settings,
)

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
    assert caller.settings.ledger is not None
    return release(caller.connections, caller.settings.ledger, caller, ALICE, key, revoked=revoked)


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
        provisioned(caller)
        another_process(caller)
        before = len(server.requests)
        message = failure(caller, AnotherEndUser, ALSO_ALICE)
        assert message == _refused(lambda: check_end_users(caller, [ALSO_ALICE]), AnotherEndUser)
        assert message.startswith(f"{INTERNAL_EMAIL}: the ledger knows it as the user of {ALICE.email}")
        assert all(way in message for way in ("aliases", f"ledger reassign {ALICE.email} {ALSO_ALICE.email}", "prefix"))
        assert "forget" not in message
        assert "No request was sent." in message
        assert len(server.requests) == before
        check_end_users(caller, [ALICE])
        check_end_users(caller, [BOB])

    def test_it_gets_no_key_that_openfunnel_hands_out_again(self, callers: Callers, path: Path) -> None:
        """Where OpenFunnel answers with the first customer's key, the second customer does not get it."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts) as base_url:
            provisioned(callers(base_url, path))
            failure(callers(base_url, path), AnotherEndUser, ALSO_ALICE)
        assert len(accounts.record.entries) == 1

    def test_a_key_of_another_user_is_not_handed_over(self, server: ScriptedServer, caller: Caller) -> None:
        """A server that answers a new user with a key that another one holds: it is kept, and not used."""
        provisioned(caller)
        scripted(server, created(email=BOB.internal_email))
        message = failure(caller, AnotherEndUser, BOB)
        assert f"{INTERNAL_EMAIL} ({ALICE.email})" in message
        assert fingerprint(USER_KEY) in message
        assert told(caller) == [("issued", None), ("answered", "its key is another user's")]
        another_process(caller)
        failure(caller, AnotherEndUser, BOB)  # it is not used later either

    def test_a_forgotten_one_stands_in_nobodys_way(self, caller: Caller) -> None:
        """Once the ledger has forgotten the first one, the other end user is asked for."""
        provisioned(caller)
        [(_, outcome)] = forget(ledger_of(caller), rows(caller), lose_keys=True)
        assert outcome is Outcome.DONE
        assert provisioned(caller, ALSO_ALICE).api_key == USER_KEY


class TestAdoption:
    """A key that the program brings."""

    def test_it_is_tried_and_kept(self, server: ScriptedServer, caller: Caller) -> None:
        """An adopted key comes back like a provisioned one, without a request for another."""
        assert adopt(caller, ALICE, f" {USER_KEY}\n") == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        another_process(caller)
        assert provisioned(caller) == ProvisionedKey(INTERNAL_EMAIL, USER_KEY)
        assert creates(server) == 0
        assert [row.status.value for row in rows(caller)] == ["issued"]

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
        """The same key again is one attempt; another one takes its place, and the first is not used any more."""
        for key in (USER_KEY, USER_KEY, NEW_KEY):
            adopt(caller, ALICE, key)
        assert [(row.status.value, row.fingerprint) for row in rows(caller)] == [
            ("answered", fingerprint(USER_KEY)),
            ("issued", fingerprint(NEW_KEY)),
        ]

    def test_it_waits_for_nobody(self, caller: Caller, path: Path) -> None:
        """While another run asks for the user, an adoption is refused, and nothing is written."""
        with process(ASKER, str(path), *astuple(identity(caller))) as child:
            assert line(child) == "Asked"
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
        _refused(lambda: adopt(with_settings(caller, ledger=FilePlace(tmp_path)), ALICE, USER_KEY), LedgerUnusable)


class TestAMove:
    """A user and its key that now stand for another address."""

    def test_the_key_goes_along(self, server: ScriptedServer, caller: Caller) -> None:
        """After the move the key comes back for the new address, and for the old one no more."""
        key = provisioned(caller)
        hold(caller, ALSO_ALICE, key, moved_from=ALICE.email)
        another_process(caller)
        assert provisioned(caller, ALSO_ALICE).api_key == USER_KEY
        failure(caller, AnotherEndUser, ALICE)
        assert creates(server) == 1
        assert [row.identity.email for row in rows(caller)] == [ALSO_ALICE.email]

    def test_it_may_bring_another_key(self, caller: Caller) -> None:
        """A move with another key at the same time leaves the old key unused, and the new one is the user's."""
        provisioned(caller)
        hold(caller, ALSO_ALICE, ProvisionedKey("7", NEW_KEY), moved_from=ALICE.email)
        assert [(row.identity.email, row.status.value) for row in rows(caller)] == [
            (ALICE.email, "answered"),
            (ALSO_ALICE.email, "issued"),
        ]

    def test_it_is_not_refused_for_its_own_past(self, caller: Caller) -> None:
        """A user that had another key under the address before can be checked, and given a third key."""
        provisioned(caller)
        second = ProvisionedKey("7", NEW_KEY)
        hold(caller, ALICE, second)
        hold(caller, ALSO_ALICE, second, moved_from=ALICE.email)
        hold(caller, ALSO_ALICE, ProvisionedKey("7", "of_third"))
        check_end_users(caller, [ALSO_ALICE])

    def test_it_is_refused_without_the_address_before(self, caller: Caller) -> None:
        """An update that does not say where a user came from is another end user's."""
        key = provisioned(caller)
        before = rows(caller)
        _refused(lambda: hold(caller, ALSO_ALICE, key), AnotherEndUser)
        _refused(lambda: hold(caller, ALSO_ALICE, key, moved_from=BOB.email), AnotherEndUser)
        assert rows(caller) == before


class TestARelease:
    """A key that leaves its stack."""

    def test_it_comes_back(self, server: ScriptedServer, caller: Caller) -> None:
        """Destroy, then up: the same key, without a request."""
        key = provisioned(caller)
        assert _release(caller, key, revoked=False)
        assert [row.status.value for row in rows(caller)] == ["released"]
        another_process(caller)
        assert provisioned(caller).api_key == USER_KEY
        assert creates(server) == 1
        assert [row.status.value for row in rows(caller)] == ["issued"]

    def test_a_revoked_one_does_not(self, server: ScriptedServer, caller: Caller) -> None:
        """A key that was seen revoked is dead, and OpenFunnel is asked for another."""
        key = provisioned(caller)
        assert _release(caller, key, revoked=True)
        scripted(server, created(NEW_KEY))
        assert provisioned(caller).api_key == NEW_KEY
        assert [row.status.value for row in rows(caller)] == ["dead", "issued"]

    @pytest.mark.parametrize(
        "rotated",
        [{"api_key": "of_provisioner_rotated"}, {"ledger_key": LEDGER_KEY, "api_key": "of_provisioner_rotated"}],
        ids=["provisioner key", "a ledger key from now on"],
    )
    def test_it_comes_back_after_a_rotation(
        self, server: ScriptedServer, caller: Caller, rotated: dict[str, Any]
    ) -> None:
        """A user leaves after the provisioner key was rotated: the state's copy is sealed under the key at hand."""
        key = provisioned(caller)
        [before] = rows(caller)
        another_process(caller)
        after = with_settings(caller, **rotated)
        assert _release(after, key, revoked=False)
        [released] = rows(after)
        assert before.answer is not None
        assert released.answer is not None
        assert (released.status.value, released.answer.key_id) == ("released", after.seals[0].key_id)
        assert released.answer.key_id != before.answer.key_id
        assert ledger_of(after).archive.store.names("answers/") == [released.answer.name]
        another_process(after)
        again = provisioned(after)
        assert (again.id, again.api_key) == (key.id, key.api_key)
        assert creates(server) == 1

    def test_it_needs_no_settings_when_the_key_is_there(self, caller: Caller, path: Path) -> None:
        """A destroy without settings marks a key that the ledger holds."""
        key = provisioned(caller)
        assert release(caller.connections, FilePlace(path), None, ALICE, key, revoked=False)
        assert [row.status.value for row in rows(caller)] == ["released"]

    @pytest.mark.parametrize("sealed", [True, False], ids=["with a key", "without"])
    def test_a_key_of_the_state_alone_is_taken_in(self, caller: Caller, path: Path, sealed: bool) -> None:
        """A key that only the state held is kept where there is a key to seal it under; if not, that is told."""
        known = caller if sealed else with_settings(caller, api_key=None)
        assert release(caller.connections, FilePlace(path), known, ALICE, KEY, revoked=False) == sealed
        assert path.exists() == sealed
        assert not release(caller.connections, FilePlace(path.with_name("other.db")), None, ALICE, KEY, revoked=False)
        assert not path.with_name("other.db").exists()
        if sealed:
            assert provisioned(caller) == KEY

    def test_a_ledger_that_cannot_be_written_is_told(self, caller: Caller, tmp_path: Path) -> None:
        """A release into a broken ledger is an error, so that nobody believes the key is kept."""
        _refused(
            lambda: release(caller.connections, FilePlace(tmp_path), caller, ALICE, KEY, revoked=False), LedgerUnusable
        )


def test_an_answer_without_a_word_of_whose_it_is(server: ScriptedServer, caller: Caller) -> None:
    """Another end user is refused also where the first one's answer was never believed."""
    scripted(server, answer(200, b"{}"))
    with pytest.raises(Exception, match="no"):
        provisioned(caller)
    failure(caller, AnotherEndUser, ALSO_ALICE)
    assert creates(server) == len(rows(caller)) == 1
