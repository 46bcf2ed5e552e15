"""A customer's key in each cloud: the right argument, a secret to the end, a valid name, and what a change changes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from packaging.requirements import Requirement

from .programs import EXAMPLES, ROOT, Programs, Run, holders

ALICE, BOB = {"cust-17": "alice@alice-startup.com"}, {"cust-18": "bob@bobs-bikes.com"}
ODD = [
    *(
        "cust_17",
        "CUST-17",
        "cust-17-",
        "cust--17",
        "cust 17",
        "cust/17",
        "cust.17",
        "17",
        "_",
        "-",
        ".",
        "ü",
        "💥",
        "日本",
    ),
    *(
        "GITHUB_TOKEN",
        "github-token",
        "github_token",
        "a" * 120,
        "a" * 121,
        "A" * 120,
        "x\ny",
        "Ünï",
        "un\u0131",
        'q"uote',
    ),
]
"""Ids that some cloud takes for a name and another one refuses, or does not tell from each other."""


@dataclass(frozen=True)
class Cloud:
    """An example.

    Attributes:
        example: its directory.
        type: of the resources that hold a key.
        argument: which one holds it, as a path.
        named: of the resources that bear the name.
        name: which argument is the name, as a path.
        valid: what a name has to look like.
        marks: what the SDK, or the program, marks as secret of the outputs.
        customers: the config that holds the customers.
        config: what else it has to hold.
        told_apart: a name as the cloud compares it.
    """

    example: str
    type: str
    argument: str
    named: str
    name: str
    valid: str
    marks: str
    customers: str = "customers"
    config: dict[str, str] = field(default_factory=dict)
    told_apart: Any = str

    def run(self, programs: Programs, customers: dict[str, str]) -> Run:
        return programs.run(self.example, **{self.customers: customers}, **self.config)


AWS = "aws:secretsmanager"
CLOUDS = [
    Cloud(
        example="aws-secrets-manager",
        type=f"{AWS}/secretVersion:SecretVersion",
        argument="secretString",
        named=f"{AWS}/secret:Secret",
        name="name",
        valid=r"[A-Za-z0-9/_+=.@-]{1,512}",
        marks="secretString",
        customers="enterprise",
        config={"selfService": "/dev/null"},
    ),
    Cloud(
        example="azure-key-vault",
        type="azure-native:keyvault:Secret",
        argument="properties.value",
        named="azure-native:keyvault:Secret",
        name="secretName",
        valid=r"[0-9A-Za-z-]{1,127}",
        marks="properties",
        config={"resourceGroup": "customers", "vault": "keys"},
        told_apart=str.lower,
    ),
    Cloud(
        example="github-actions-secrets",
        type="github:index/actionsSecret:ActionsSecret",
        argument="value",
        named="github:index/actionsSecret:ActionsSecret",
        name="secretName",
        valid=r"(?!GITHUB_)[A-Z_][A-Z0-9_]*",
        marks="value",
        config={"repository": "workers"},
        told_apart=str.upper,
    ),
    Cloud(
        example="google-secret-manager",
        type="gcp:secretmanager/secretVersion:SecretVersion",
        argument="secretData",
        named="gcp:secretmanager/secret:Secret",
        name="secretId",
        valid=r"[A-Za-z0-9_-]{1,255}",
        marks="secretData",
    ),
    Cloud(
        example="kubernetes",
        type="kubernetes:core/v1:Secret",
        argument="stringData",
        named="kubernetes:core/v1:Secret",
        name="metadata.name",
        valid=r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?",
        marks="stringData",
    ),
]
each_cloud = pytest.mark.parametrize("cloud", CLOUDS, ids=[cloud.example for cloud in CLOUDS])


def _at(inputs: dict[str, Any], path: str) -> Any:
    found: Any = inputs
    for name in path.split("."):
        found = found[name]
    return found


@each_cloud
def test_the_right_argument_holds_the_key_as_a_secret(cloud: Cloud, programs: Programs) -> None:
    """In one resource a customer, named by its id; nowhere in the clear; the output is marked as well."""
    run = cloud.run(programs, ALICE | BOB)
    sinks = run.of(cloud.type)
    assert sorted(sinks) == ["cust-17", "cust-18"]
    for id_, user in (("cust-17", "alice"), ("cust-18", "bob")):
        key = run.keys[f"{user}@orchestrator.com"]
        assert holders(_at(sinks[id_].inputs, cloud.argument), key) == {"secret": 1, "clear": 0}
        assert cloud.marks in sinks[id_].secret_outputs
        everywhere = [holders(found.inputs, key) for found in run.resources]
        assert sum(found["clear"] for found in everywhere) == 0
        assert sum(found["secret"] for found in everywhere) == 1


@each_cloud
def test_any_id_has_a_valid_name_of_its_own(cloud: Cloud, programs: Programs) -> None:
    """Whatever characters it has; and a plain one keeps its own."""
    ids = ["cust-17", *ODD]
    run = cloud.run(programs, {id_: f"user{n}@customers.com" for n, id_ in enumerate(ids)})
    names = {id_: _at(found.inputs, cloud.name) for id_, found in run.of(cloud.named).items()}
    assert set(names) == set(ids)
    assert [name for name in names.values() if re.fullmatch(cloud.valid, name) is None] == []
    assert len({cloud.told_apart(name) for name in names.values()}) == len(ids)
    assert re.sub("[^a-z0-9]", "", names["cust-17"].lower()) == "openfunnelcust17"


@each_cloud
def test_a_changed_key_changes_its_readers_alone(cloud: Cloud, programs: Programs) -> None:
    """Another key under the same id: that customer's sink is another one, the others are as they were."""
    before = cloud.run(programs, ALICE | BOB)
    after = cloud.run(programs, {"cust-17": "alice@elsewhere.com"} | BOB)
    assert before.keys["alice@orchestrator.com"] != after.keys["alice@orchestrator.com"]
    assert after.changed(before, cloud.type) == {"cust-17"}
    if cloud.named != cloud.type:
        assert after.changed(before, cloud.named) == set()


@each_cloud
def test_a_customer_that_leaves_loses_its_secret(cloud: Cloud, programs: Programs) -> None:
    """The program no longer declares it, so that the engine deletes it; the others stay as they were."""
    before, after = cloud.run(programs, ALICE | BOB), cloud.run(programs, BOB)
    assert set(after.of(cloud.type)) == set(after.of(cloud.named)) == {"cust-18"}
    assert after.changed(before, cloud.type) == after.changed(before, cloud.named) == {"cust-17"}


def test_a_deployment_restarts_with_its_customers_key(programs: Programs) -> None:
    """Its pods' template bears the key's fingerprint, never the key; it reads the Secret by name, and waits for it."""
    before = programs.run("kubernetes", customers=ALICE | BOB)
    after = programs.run("kubernetes", customers={"cust-17": "alice@elsewhere.com"} | BOB)
    type_ = "kubernetes:apps/v1:Deployment"
    assert after.changed(before, type_) == {"cust-17"}
    deployment, secret = before.of(type_)["cust-17"], before.of("kubernetes:core/v1:Secret")["cust-17"]
    template = deployment.inputs["spec"]["template"]
    assert re.fullmatch("[0-9a-f]{16}", template["metadata"]["annotations"]["openfunnel.dev/key-fingerprint"])
    [container] = template["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": secret.inputs["metadata"]["name"]}}]
    assert deployment.inputs["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert before.of("pulumi:providers:kubernetes")["cluster"].inputs == {"enableSecretMutable": "true"}


def test_the_sdks_are_those_that_the_examples_ask_for() -> None:
    """What is tested is within what each requirements.txt asks for."""
    tested = {
        requirement.name: str(requirement.specifier).removeprefix("==")
        for requirement in _requirements(ROOT / "tools" / "sinks" / "requirements.txt")
    }
    asked = {requirement.name: requirement for cloud in CLOUDS for requirement in _sdk_of(cloud)}
    assert len(asked) == len(CLOUDS)
    assert {name: requirement.specifier.contains(tested[name]) for name, requirement in asked.items()} == dict.fromkeys(
        asked, True
    )


def _sdk_of(cloud: Cloud) -> list[Requirement]:
    return _requirements(EXAMPLES / cloud.example / "requirements.txt")


def _requirements(file: Any) -> list[Requirement]:
    lines = [line for line in file.read_text().splitlines() if line and line[0] not in "#."]
    return [Requirement(line) for line in lines]
