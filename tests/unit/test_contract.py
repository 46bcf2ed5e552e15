"""What is in every state ever written, and so may never change."""

from __future__ import annotations

import base64
import pickletools

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from pulumi_openfunnel import ProvisionedUser, schema
from pulumi_openfunnel.dynamic.envelope import secret, secrets
from pulumi_openfunnel.dynamic.shard_state import closed, opened
from pulumi_openfunnel.program import shards
from pulumi_openfunnel.providers import (
    ProvisionedUserProvider,
    ProvisionedUsersMembersProvider,
    ProvisionedUsersShardProvider,
)

PICKLED = [
    (
        ProvisionedUserProvider,
        "gASVPgAAAAAAAACMG3B1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVyc5SMF1Byb3Zpc2lvbmVkVXNlclByb3ZpZGVylJOUKYGULg==",
    ),
    (
        ProvisionedUsersShardProvider,
        "gASVRAAAAAAAAACMG3B1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVyc5SMHVByb3Zpc2lvbmVkVXNlcnNTaGFyZFByb3ZpZGVylJOUKYGULg==",
    ),
    (
        ProvisionedUsersMembersProvider,
        "gASVRgAAAAAAAACMG3B1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVyc5SMH1Byb3Zpc2lvbmVkVXNlcnNNZW1iZXJzUHJvdmlkZXKUk5QpgZQu",
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
    assert shards.Members._resource_type_name == "dynamic/openfunnel:ProvisionedUsersMembers"
    assert shards.Shard._resource_type_name == "dynamic/openfunnel:ProvisionedUsersShard"


def test_the_shards() -> None:
    """How many there are is part of every URN; who is in which keeps a new member of the same id where the old one was."""
    assert schema.SHARDS == 32
    assert [schema.shard_of(f"user{n}@customers.com") for n in range(5)] == [14, 23, 0, 1, 8]
    assert [schema.shard_of(f"cust-{n}") for n in range(5)] == [4, 16, 17, 24, 30]


def test_the_property_names() -> None:
    """The state's properties; one that is added later stays empty on old states."""
    assert list(schema.INPUTS) == ["email", "prefix", "email_mapping", "orchestrator", "internal_email"]
    assert list(schema.ISSUED) == ["api_key", "key_fingerprint", "key_status"]
    assert schema.ADOPTED == "existing_api_key"
    assert schema.SHOWN_AS == "shown_as"
    assert schema.MEMBERS_INPUTS == (
        "roster",
        "emails",
        "late_emails",
        "prefixes",
        "aliases",
        "email_mapping",
        "orchestrator",
        "max_removals",
        "protected",
        "secret",
        "placed",
    )
    assert schema.SHARD_INPUTS == ("roster", "members", "existing_api_keys", "orchestrator", "secret")
    assert schema.SHARD_OUTPUTS == (
        "users",
        "api_keys",
        "failed",
        "tried",
        "applied",
        "roster",
        "orchestrator",
        "secret",
    )


def test_what_is_by_id_is_a_document() -> None:
    """JSON, sorted, so that the same members are the same text."""
    props = {"emails": ["b@x.com"], "placed": {"b": {"shard": 2}, "a": {"shard": 1}}, "roster": "team"}
    assert closed(props) == {
        "emails": '["b@x.com"]',
        "placed": '{"a":{"shard":1},"b":{"shard":2}}',
        "roster": "team",
    }
    assert opened(closed(props)) == props
    by_id = {"emails", "prefixes", "aliases", "placed", "members", "existing_api_keys", "users", "api_keys", "failed"}
    assert by_id | {"tried"} == schema.DOCUMENTS


def test_the_envelope_of_a_secret() -> None:
    """The engine's signatures, as its own sources have them; what is not there stays so."""
    assert secret("of_x") == {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "of_x"}
    assert secrets({"api_key": "of_x", "email": "a@x.com", "gone": None}, "api_key", "gone") == {
        "api_key": secret("of_x"),
        "email": "a@x.com",
        "gone": None,
    }
    assert secret("of_x") == {_special_sig_key: _special_secret_sig, "value": "of_x"}
