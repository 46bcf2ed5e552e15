"""A program that uses every public name, as users type it. Strict checkers find nothing: see test_typed.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pulumi

import pulumi_openfunnel as openfunnel
from pulumi_openfunnel.testing import Fault, LocalOpenFunnel, Mocks, User, local_openfunnel, openfunnel_api

__all__ = ["declare", "openfunnel_api", "played"]


def declare(addresses: pulumi.Output[str]) -> Iterator[pulumi.Output[str]]:
    """Every argument, every output."""
    alice = openfunnel.ProvisionedUser(
        "cust-17",
        email="alice@alice-startup.com",
        prefix="alice",
        email_mapping="subaddress",
        orchestrator="acme",
        existing_api_key=pulumi.Config().get_secret("aliceKey"),
        opts=pulumi.ResourceOptions(protect=True),
    )
    yield from (alice.email, alice.internal_email, alice.api_key, alice.key_fingerprint, alice.key_status)
    prefix: pulumi.Output[str | None] = alice.prefix
    mapping: pulumi.Output[str | None] = alice.email_mapping
    orchestrator: pulumi.Output[str | None] = alice.orchestrator
    yield pulumi.Output.concat(prefix.apply(str), mapping.apply(str), orchestrator.apply(str))

    team = openfunnel.ProvisionedUsers(
        "team",
        emails={"cust-17": "alice@alice-startup.com", "cust-18": addresses},
        prefixes={"cust-17": "alice"},
        existing_api_keys={"cust-18": pulumi.Output.secret("of_known")},
        aliases={"cust-18": "bob@b.com"},
        email_mapping="prefix",
        orchestrator="acme",
        max_removals=0,
        opts=pulumi.ResourceOptions(protect=True),
    )
    openfunnel.ProvisionedUsers("numbers", emails={17: "alice@alice-startup.com"})
    openfunnel.ProvisionedUsers("list", emails=["alice@alice-startup.com", addresses])
    ids: list[str] = [id_ for id_ in team if id_ in team][: len(team)]
    one = team[ids[0]]
    yield from (one.email, one.internal_email, one.api_key, one.key_fingerprint, one.key_status)
    yield team.api_keys.apply(lambda keys: keys["cust-17"])
    yield team.users.apply(lambda users: users["cust-17"]["email"])
    yield team.failed.apply(lambda failed: failed["cust-17"])


def played(directory: Path, mocks: pulumi.runtime.Mocks) -> list[User]:
    """What tests are given."""
    pulumi.runtime.set_mocks(Mocks(mocks))
    with local_openfunnel(directory) as api:
        return _used(api) + Mocks().users


def _used(api: LocalOpenFunnel) -> list[User]:
    environment: dict[str, str] = api.environment
    known: tuple[str, str, str, Path] = (api.base_url, api.user_id, api.api_key, api.ledger)
    user: User = api.add_user("alice@orchestrator.com")
    api.fail_next(Fault.ERROR, Fault.FORBIDDEN)
    api.revoke(user.email)
    statuses = [entry.status for entry in api.requests]
    return api.users if environment and known and statuses else []
