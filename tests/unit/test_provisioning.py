"""The use case, against the simulator."""

from __future__ import annotations

import httpx
import pytest

from pulumi_openfunnel.errors import InvalidSetting, UserExists
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import ProvisionedKey, fingerprint
from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR, PROVISIONER_KEY, USER_KEY, ScriptedServer, hides_keys
from .provisions import ALICE, Callers, provisioned

USER_KEY_SHA256_START = "c7785caa04caacfa"  # printf of_alice_0123456789 | sha256sum | cut -c-16


def _accounts() -> Accounts:
    return Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], credits=162.5)


def test_a_provisioned_key_works(callers: Callers) -> None:
    """The key of a provisioned user reads the credits of the orchestrator's domain."""
    with serve(_accounts()) as base_url:
        key = provisioned(callers(base_url)).api_key
        balance = httpx.get(f"{base_url}/api/v1/credits/balance", headers={"X-API-Key": key}, trust_env=False)
    assert (balance.status_code, balance.json()["credits_left"]) == (200, 162.5)


def test_the_user_of_the_key_is_the_one_asked_for(callers: Callers) -> None:
    """The id and the key are those of the one user that OpenFunnel now has."""
    accounts = _accounts()
    with serve(accounts) as base_url:
        key = provisioned(callers(base_url))
    (user,) = accounts.users
    assert (user.email, str(user.id), user.api_key) == (INTERNAL_EMAIL, key.id, key.api_key)


def test_a_user_is_not_provisioned_twice(callers: Callers) -> None:
    """A second call for the same user fails and changes nothing."""
    accounts = _accounts()
    with serve(accounts) as base_url:
        provision(callers(base_url), ALICE)
        before = accounts.users
        with pytest.raises(UserExists):
            provision(callers(base_url), ALICE)
    assert accounts.users == before


def test_without_a_provisioner_key_nothing_is_asked_for(server: ScriptedServer, callers: Callers) -> None:
    """A missing provisioner key is an invalid setting before any request is made."""
    with pytest.raises(InvalidSetting) as caught:
        provision(callers(server.base_url, api_key=None), ALICE)
    assert caught.value.setting == "openfunnel:apiKey"
    assert server.requests == []
    assert hides_keys(caught.value)


def test_a_fingerprint_is_the_start_of_the_sha256_digest() -> None:
    """The fingerprint of a key is the first 16 hex digits of its SHA-256 digest."""
    assert fingerprint(USER_KEY) == USER_KEY_SHA256_START
    assert ProvisionedKey("1", USER_KEY).fingerprint == USER_KEY_SHA256_START


def test_a_provisioned_key_is_not_shown() -> None:
    """Neither repr nor str of a provisioned key shows the key."""
    key = ProvisionedKey("1", USER_KEY)
    assert USER_KEY not in repr(key) + str(key)
