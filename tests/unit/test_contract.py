"""What is in every state ever written, and so may never change."""

from __future__ import annotations

import base64
import pickletools

from pulumi.dynamic.dynamic import serialize_provider

from pulumi_openfunnel import ProvisionedUser
from pulumi_openfunnel import schema as documents
from pulumi_openfunnel.dynamic import shard
from pulumi_openfunnel.dynamic.user import ADOPTED, INPUTS, ISSUED, ProvisionedUserProvider
from pulumi_openfunnel.program import roster

PICKLED = "gASVPQAAAAAAAACMGnB1bHVtaV9vcGVuZnVubmVsLnByb3ZpZGVylIwXUHJvdmlzaW9uZWRVc2VyUHJvdmlkZXKUk5QpgZQu"


def test_the_pickled_provider_is_this_string() -> None:
    """The provider is pickled by reference: the path of its module and the name of its class, nothing else."""
    assert serialize_provider(ProvisionedUserProvider()) == PICKLED
    names = [argument for _, argument, _ in pickletools.genops(base64.b64decode(PICKLED)) if isinstance(argument, str)]
    assert names == ["pulumi_openfunnel.provider", "ProvisionedUserProvider"]


def test_the_provider_object_holds_nothing() -> None:
    """Whatever an instance holds would be in every state, a key among it."""
    assert vars(ProvisionedUserProvider()) == {}
    assert ProvisionedUserProvider.serialize_as_secret_always is False


def test_the_type_token() -> None:
    """The type is part of every URN."""
    assert ProvisionedUser._resource_type_name == "dynamic/openfunnel:ProvisionedUser"


def test_the_property_names() -> None:
    """The state's properties; one that is added later stays empty on old states."""
    assert list(INPUTS) == ["email", "prefix", "email_mapping", "orchestrator", "internal_email"]
    assert list(ISSUED) == ["api_key", "key_fingerprint", "key_status"]
    assert ADOPTED == "existing_api_key"


class TestARoster:
    """The same, of a roster and its shards."""

    def test_the_pickled_provider_is_by_reference(self) -> None:
        """The path of its module and the name of its class, nothing else."""
        pickled = base64.b64decode(serialize_provider(shard.ShardProvider()))
        names = [argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)]
        assert names == ["pulumi_openfunnel.shard", "ShardProvider"]
        assert vars(shard.ShardProvider()) == {}
        assert shard.ShardProvider.serialize_as_secret_always is False

    def test_the_type_tokens_and_the_shards(self) -> None:
        """Types, the number of shards, and who is in which are part of every URN."""
        assert roster._Shard._resource_type_name == "dynamic/openfunnel:ProvisionedUsersShard"
        assert roster.SHARDS == 32
        assert [roster.shard_of(f"user{n}@customers.com") for n in range(5)] == [14, 23, 0, 1, 8]

    def test_the_property_names(self) -> None:
        """The shards' properties."""
        assert shard.OUTPUTS == ("users", "api_keys", "failed", "tried", "roster", "orchestrator")

    def test_what_is_by_email_is_a_document(self) -> None:
        """JSON, sorted, so that the same users are the same text."""
        props = {"emails": ["a@x.com"], "users": {"b@x.com": {"id": "2"}, "a@x.com": {"id": "1"}}, "roster": "team"}
        assert documents.closed(props) == {
            "emails": '["a@x.com"]',
            "users": '{"a@x.com":{"id":"1"},"b@x.com":{"id":"2"}}',
            "roster": "team",
        }
        assert documents.opened(documents.closed(props)) == props
        by_email = {"emails", "prefixes", "existing_api_keys", "internal_emails", "users", "api_keys", "failed"}
        assert by_email | {"tried"} == documents.NAMES
