"""Provider processes of a roster's resources, whose documents are opened."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.rpc import UNKNOWN

from pulumi_openfunnel.dynamic.shard_state import closed, opened
from pulumi_openfunnel.providers import ProvisionedUsersMembersProvider, ProvisionedUsersShardProvider

from ..provider_process import Provider, Start
from ..servers import ORCHESTRATOR, PROVISIONER_KEY


class OfARoster(Provider):
    """A provider process that is handed documents, and whose documents are opened."""

    def _props(self, values: dict[str, Any], provider: str | None = None) -> Struct:
        unknown = {name: value for name, value in values.items() if value == UNKNOWN}
        return super()._props(closed(values) | unknown, provider)

    def _plain(self, struct: Struct, provider: str | None = None) -> dict[str, Any]:
        values = super()._plain(struct, provider)
        unknown = {name: value for name, value in values.items() if value == UNKNOWN}
        return opened({name: value for name, value in values.items() if name not in unknown}) | unknown


def shard_of(start: Start, base_url: str, api_key: str | None = PROVISIONER_KEY, **environment: str) -> Provider:
    """A shard's."""
    running = start(OfARoster, **environment)
    running._provider = serialize_provider(ProvisionedUsersShardProvider())
    running.configure(userId=ORCHESTRATOR, apiKey=api_key, baseUrl=base_url, timeout=10)
    return running


def members_of(start: Start, base_url: str = "http://127.0.0.1:1", **config: Any) -> Provider:
    """A members resource's, which asks nobody."""
    running = start(OfARoster)
    running._provider = serialize_provider(ProvisionedUsersMembersProvider())
    running.configure(**({"userId": ORCHESTRATOR, "baseUrl": base_url} | config))
    return running
