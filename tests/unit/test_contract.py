"""What is in every state ever written, and so may never change."""

from __future__ import annotations

import base64
import pickletools

from pulumi.dynamic.dynamic import serialize_provider

from pulumi_openfunnel import ProvisionedUser
from pulumi_openfunnel.provider import ADOPTED, INPUTS, ISSUED, ProvisionedUserProvider

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
