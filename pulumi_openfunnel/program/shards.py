"""The resources that a roster is made of: its members, and the shards that hold their users."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pulumi
from pulumi.dynamic import Resource

from .. import schema
from ..providers import ProvisionedUsersMembersProvider, ProvisionedUsersShardProvider
from .opaque import Opaque, opened


class Members(Resource, module="openfunnel", name="ProvisionedUsersMembers"):
    """Who a roster's members are, and which shard holds whom."""

    if TYPE_CHECKING:  # the SDK would evaluate annotations anew for each resource
        placed: pulumi.Output[Any]

    def __init__(self, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = {"placed": None} | {key: value for key, value in inputs.items() if value is not None}
        super().__init__(ProvisionedUsersMembersProvider(), name, props, opts)


class Shard(Resource, module="openfunnel", name="ProvisionedUsersShard"):
    """Some users, by id: documents (see ``schema``); what mocks give may be maps."""

    if TYPE_CHECKING:
        users: pulumi.Output[Any]
        api_keys: pulumi.Output[Any]
        failed: pulumi.Output[Any]
        tried: pulumi.Output[Any]

    def __init__(self, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = dict.fromkeys(("users", "api_keys", "failed", "tried"))
        super().__init__(ProvisionedUsersShardProvider(), name, props | inputs, opts)

    @cached_property
    def opened_users(self) -> pulumi.Output[Opaque]:
        return self.users.apply(opened)

    @cached_property
    def opened_keys(self) -> pulumi.Output[Opaque]:
        return self.api_keys.apply(opened)

    @cached_property
    def opened_failed(self) -> pulumi.Output[Opaque]:
        return self.failed.apply(opened)

    async def tried_now(self, engine: str | None) -> Tried:
        """What was tried in this very update: what the state tells of an earlier one is not in the way of this one.

        Args:
            engine: the engine's address, which no other update on this machine has at the time.
        """
        tried = schema.load(await self.tried.future(with_unknowns=True))
        if not isinstance(tried, dict) or tried["engine"] != engine:  # previewed, or left out of this update
            return Tried(0, {})
        return Tried(tried["users"], schema.load(await self.failed.future()) or {})

    async def failed_now(self, engine: str | None, id_: str) -> bool:
        """Whether one user was tried in this very update, and failed."""
        return id_ in (await self.tried_now(engine)).failed


class Tried(NamedTuple):
    """How many users a shard's verb tried to get, and by id why some are not there."""

    users: int
    failed: Mapping[str, str]


def by_shard(placed: Mapping[str, Mapping[str, Any]]) -> dict[int, dict[str, dict[str, Any]]]:
    """By shard, its members as the shard's input tells them."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for id_, entry in placed.items():
        member = {name: value for name, value in entry.items() if name != "shard"}
        found.setdefault(entry["shard"], {})[id_] = member
    return found
