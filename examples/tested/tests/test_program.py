"""What the program declares, under mocks: no engine, no network."""

from typing import Any

import pulumi
import pytest
from customers import roster_of, settings_of
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

from pulumi_openfunnel.testing import Mocks


class Others(pulumi.runtime.Mocks):
    """Mocks for everything that is not OpenFunnel's."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.seen[args.name] = args.inputs
        return f"{args.name}-id", args.inputs

    def call(self, args: MockCallArgs) -> Any:
        return {}


class Parameter(pulumi.CustomResource):
    """Stands for a resource of any cloud that takes a key."""

    def __init__(self, name: str, value: pulumi.Input[str]) -> None:
        super().__init__("cloud:index:Parameter", name, {"value": value})


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture(autouse=True)
def mocks(others: Others) -> Mocks:
    """An empty stack; what these mocks do not know goes to the others."""
    made = Mocks(others)
    pulumi.runtime.set_mocks(made)
    pulumi.runtime.set_all_config({"openfunnel:userId": "you@yourco.com"})
    return made


@pulumi.runtime.test
async def test_a_key_reaches_its_reader_and_stays_a_secret(mocks: Mocks) -> None:
    line = settings_of("cust-17", "alice@alice-startup.com")
    assert await line.is_secret()
    shown = await line.future()
    [user] = mocks.users
    assert (user.email, shown) == ("cust-17@yourco.com", f"OPENFUNNEL_API_KEY={user.api_key}")


@pulumi.runtime.test
async def test_what_a_cloud_is_given(mocks: Mocks, others: Others) -> None:
    await Parameter("cust-17", settings_of("cust-17", "alice@alice-startup.com")).urn.future()
    value = others.seen["cust-17"]["value"]
    assert value["value"] == f"OPENFUNNEL_API_KEY={mocks.users[0].api_key}"  # in the envelope of a secret


@pulumi.runtime.test
async def test_the_roster_has_a_key_for_each_member() -> None:
    team = roster_of({"cust-101": "bob@bobs-bikes.com", "cust-102": "carol@carols-cars.com"})
    keys = await team.api_keys.future()
    assert (len(team), "cust-101" in team, sorted(keys or {})) == (2, True, ["cust-101", "cust-102"])
    assert await team.api_keys.is_secret()
    assert await team["cust-101"].internal_email.future() == "bob@yourco.com"


def test_a_wrong_address_is_refused() -> None:
    @pulumi.runtime.test
    async def declare() -> None:
        await settings_of("cust-17", "alice@@alice-startup.com").future()

    with pytest.raises(pulumi.RunError, match="more than one @"):
        declare()
