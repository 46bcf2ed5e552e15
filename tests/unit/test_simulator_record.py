"""The local OpenFunnel's own record of what it did, and keys that stop working."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from pulumi_openfunnel.simulator import Account, Accounts, Existing, Fault, Faults, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY
from .simulated import WORKING, asked, balance, create, wait_for


class TestRecord:
    """What the server itself knows it did."""

    @pytest.mark.parametrize("fault", WORKING)
    def test_work_is_recorded_whatever_becomes_of_its_answer(self, accounts: Accounts, fault: Fault) -> None:
        """The entry has the key that was issued, though the answer may have lost it."""
        statuses = {Fault.ERROR_AFTER: 500, Fault.DROP_AFTER: None}
        began = time.time()
        with serve(accounts, faults=Faults({1: fault}, hold=60, pace=60)) as base_url, asked(base_url):
            wait_for(lambda: accounts.record.entries)
        (entry,) = accounts.record.entries
        assert (entry.n, entry.email, entry.account) == (1, INTERNAL_EMAIL, ORCHESTRATOR)
        assert (entry.fault, entry.status, entry.done) == (fault, statuses.get(fault, 200), True)
        assert entry.key == accounts.users[0].api_key
        assert began <= entry.at <= time.time()
        assert entry.key not in repr(entry)

    def test_what_came_to_nothing_is_recorded_too(self) -> None:
        """Refused, faulty and existing: no work and no key; a key handed out again is work."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts, faults=Faults({2: Fault.BAD_GATEWAY})) as base_url:
            create(base_url, "alice@other.com")
            create(base_url)
            create(base_url, **{"X-API-Key": "of_nobody"})
            create(base_url, "of_no_address")
            key = create(base_url).json()["api_key"]
            create(base_url)
        rows = [(entry.email, entry.account, entry.status, entry.done, entry.key) for entry in accounts.record.entries]
        assert rows == [
            ("alice@other.com", ORCHESTRATOR, 403, False, None),
            (INTERNAL_EMAIL, ORCHESTRATOR, 502, False, None),
            (INTERNAL_EMAIL, None, 401, False, None),
            (None, ORCHESTRATOR, 400, False, None),
            (INTERNAL_EMAIL, ORCHESTRATOR, 200, True, key),
            (INTERNAL_EMAIL, ORCHESTRATOR, 200, True, key),
        ]

    def test_the_file_has_a_line_before_the_answer(self, tmp_path: Path) -> None:
        """The line is there while the answer is held back, after those of an earlier server, its owner's alone."""
        file = tmp_path / "record.jsonl"
        file.write_text('{"n": 1}\n')
        file.chmod(0o644)
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], record=file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with serve(accounts, faults=Faults({1: Fault.HOLD}, hold=60)) as base_url, asked(base_url):
            wait_for(lambda: accounts.record.entries)
            wait_for(lambda: file.read_text().count("\n") == 2)
        row = json.loads(file.read_text().splitlines()[1])
        assert 0 < row.pop("at") <= time.time()
        assert row == {
            "n": 1,
            "email": INTERNAL_EMAIL,
            "account": ORCHESTRATOR,
            "fault": "hold",
            "status": 200,
            "done": True,
            "key": accounts.users[0].api_key,
        }


class TestRevoke:
    """A user's key that stops working."""

    def test_a_revoked_key_is_a_strangers(self) -> None:
        """Its balance is refused, and create-user hands out that key again; other keys work."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.SAME_KEY)
        with serve(accounts) as base_url:
            key = create(base_url).json()["api_key"]
            other = create(base_url, "bob@orchestrator.com").json()["api_key"]
            accounts.revoke(INTERNAL_EMAIL.upper())
            assert create(base_url).json()["api_key"] == key
            assert [balance(base_url, each).status_code for each in (key, other)] == [401, 200]

    def test_a_new_key_works_again(self) -> None:
        """A user whose key was revoked gets a new one that works, where create-user gives new keys."""
        accounts = Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], existing=Existing.NEW_KEY)
        old = accounts.create(INTERNAL_EMAIL).api_key
        accounts.revoke(INTERNAL_EMAIL)
        new = accounts.create(INTERNAL_EMAIL).api_key
        assert [accounts.balance(key) is None for key in (old, new)] == [True, False]

    def test_nobody_has_no_key_to_revoke(self, accounts: Accounts) -> None:
        """A user that does not exist is said so."""
        with pytest.raises(KeyError, match="nobody@"):
            accounts.revoke("nobody@orchestrator.com")
