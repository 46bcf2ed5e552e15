"""The shards that hold a roster's users, and which address belongs to which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from .. import schema
from ..providers import ProvisionedUsersShardProvider
from .claims import Program
from .opaque import Opaque, opened

SHARDS = 32
"""Part of every URN, so it never changes once released; what speaks for more and for fewer: docs/performance.md."""

ByShard = dict[int, tuple[list[str], dict[str, str]]]
"""By shard, its addresses, and the prefixes of some of them."""


def shard_of(email: str) -> int:
    """The number of the shard that holds a normalized address."""
    return int.from_bytes(hashlib.sha256(email.encode()).digest()[:4], "big") % SHARDS


class Shard(Resource, module="openfunnel", name="ProvisionedUsersShard"):
    """Some users, by email: documents (see ``schema``); what mocks give may be maps."""

    users: pulumi.Output[Any]
    api_keys: pulumi.Output[Any]
    failed: pulumi.Output[Any]
    tried: pulumi.Output[Any]

    def __init__(self, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = dict.fromkeys(("users", "api_keys", "failed", "tried")) | inputs
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_keys", "existing_api_keys"])
        super().__init__(ProvisionedUsersShardProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))

    @cached_property
    def opened_users(self) -> pulumi.Output[Opaque]:
        return self.users.apply(opened)

    @cached_property
    def opened_keys(self) -> pulumi.Output[Opaque]:
        return self.api_keys.apply(opened)

    @cached_property
    def opened_failed(self) -> pulumi.Output[Opaque]:
        return self.failed.apply(opened)

    @cached_property
    def tried_now(self) -> pulumi.Output[Opaque]:
        """What was tried in this very update: what the state tells of an earlier one is not in the way of this one."""
        started = Program.current().started

        def now(document: Any) -> pulumi.Input[Opaque]:
            tried = schema.load(document)
            if not isinstance(tried, dict) or tried["at"] < started:  # not known: previewed, or left out of this update
                return Opaque(Tried())
            return self.failed.apply(lambda failed: Opaque(Tried(tried["users"], schema.load(failed))))

        return self.tried.apply(now, run_with_unknowns=True)


@dataclass(frozen=True)
class Tried:
    """How many users a shard's verb tried to get, and by email why some are not there."""

    users: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


def emails_of(number: int, by_shard: Opaque) -> str | None:
    return schema.dump(by_shard.value[number][0])


def prefixes_of(number: int, by_shard: Opaque) -> str | None:
    return schema.dump(by_shard.value[number][1] or None)


def secret(by_shard: pulumi.Output[Opaque] | None, read: Callable[[Opaque], str | None]) -> Any:
    return None if by_shard is None else pulumi.Output.secret(by_shard.apply(read))


def keys_of(number: int, by_shard: Opaque) -> str | None:
    return schema.dump(by_shard.value.get(number))
