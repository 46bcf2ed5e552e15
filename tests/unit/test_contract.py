"""What is in every state ever written, and so may never change."""

from __future__ import annotations

import base64
import pickletools

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

from pulumi_openfunnel import ProvisionedUser, schema
from pulumi_openfunnel.dynamic.shard import closed, opened
from pulumi_openfunnel.program import shards
from pulumi_openfunnel.providers import ProvisionedUserProvider, ProvisionedUsersShardProvider

PICKLED = [
    (
        ProvisionedUserProvider,
        "gASVPgAAAAAAAACMG3B1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVyc5SMF1Byb3Zpc2lvbmVkVXNlclByb3ZpZGVylJOUKYGULg==",
    ),
    (
        ProvisionedUsersShardProvider,
        "gASVRAAAAAAAAACMG3B1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVyc5SMHVByb3Zpc2lvbmVkVXNlcnNTaGFyZFByb3ZpZGVylJOUKYGULg==",
    ),
]
PROVIDERS = [provider for provider, _ in PICKLED]


@pytest.mark.parametrize(("provider", "pickled"), PICKLED)
def test_the_pickled_provider_is_this_string(provider: type[ResourceProvider], pickled: str) -> None:
    """A provider is pickled by reference: the path of its module and the name of its class, nothing else."""
    assert serialize_provider(provider()) == pickled
    names = [argument for _, argument, _ in pickletools.genops(base64.b64decode(pickled)) if isinstance(argument, str)]
    assert names == ["pulumi_openfunnel.providers", provider.__name__]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_provider_object_holds_nothing(provider: type[ResourceProvider]) -> None:
    """Whatever an instance holds would be in every state, a key among it."""
    assert vars(provider()) == {}
    assert provider.serialize_as_secret_always is False


def test_the_type_tokens() -> None:
    """The type is part of every URN."""
    assert ProvisionedUser._resource_type_name == "dynamic/openfunnel:ProvisionedUser"
    assert shards.Shard._resource_type_name == "dynamic/openfunnel:ProvisionedUsersShard"


def test_the_shards() -> None:
    """How many there are, and who is in which, is part of every URN."""
    assert shards.SHARDS == 32
    assert [shards.shard_of(f"user{n}@customers.com") for n in range(5)] == [14, 23, 0, 1, 8]


def test_the_property_names() -> None:
    """The state's properties; one that is added later stays empty on old states."""
    assert list(schema.INPUTS) == ["email", "prefix", "email_mapping", "orchestrator", "internal_email"]
    assert list(schema.ISSUED) == ["api_key", "key_fingerprint", "key_status"]
    assert schema.ADOPTED == "existing_api_key"
    assert schema.SHARD_INPUTS == (
        "roster",
        "emails",
        "prefixes",
        "existing_api_keys",
        "email_mapping",
        "orchestrator",
        "internal_emails",
    )
    assert schema.SHARD_OUTPUTS == ("users", "api_keys", "failed", "tried", "roster", "orchestrator")


def test_what_is_by_email_is_a_document() -> None:
    """JSON, sorted, so that the same users are the same text."""
    props = {"emails": ["a@x.com"], "users": {"b@x.com": {"id": "2"}, "a@x.com": {"id": "1"}}, "roster": "team"}
    assert closed(props) == {
        "emails": '["a@x.com"]',
        "users": '{"a@x.com":{"id":"1"},"b@x.com":{"id":"2"}}',
        "roster": "team",
    }
    assert opened(closed(props)) == props
    by_email = {"emails", "prefixes", "existing_api_keys", "internal_emails", "users", "api_keys", "failed"}
    assert by_email | {"tried"} == schema.DOCUMENTS
