"""A roster's keys in documents: what a preview of a newcomer shows."""

from __future__ import annotations

import pytest

from harness import Project

PROGRAM = """
    import hashlib
    import json

    import pulumi
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    import pulumi_openfunnel as openfunnel

    class Provider(ResourceProvider):
        def create(self, props):
            return CreateResult("document", {})

    class Document(Resource):
        def __init__(self, name, value):
            super().__init__(Provider(), name, {"value": value})

    def document_of(id_):
        return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4], "big") % 32

    members = pulumi.Config().require_int("members")
    team = openfunnel.ProvisionedUsers("team", emails={f"cust-{n}": f"user{n}@customers.com" for n in range(members)})
    for number in sorted({document_of(id_) for id_ in team}):
        keys = {id_: team[id_].api_key for id_ in sorted(team) if document_of(id_) == number}
        Document(f"keys-{number:02}", pulumi.Output.all(**keys).apply(json.dumps))
"""


@pytest.mark.long
def test_a_newcomer_changes_one_document(project: Project) -> None:
    """At preview and at ``up``, because the documents are divided as the roster itself is: see docs/sinks.md."""
    project.write(PROGRAM)
    project.pulumi("config", "set", "members", "200")
    assert len(_documents(project.up().output)) == 32
    project.pulumi("config", "set", "members", "201")
    previewed = _documents(project.pulumi("preview").output)
    assert len(previewed) == 1
    assert _documents(project.up().output) == previewed


def _documents(output: str) -> set[str]:
    """Those that a command shows as changing."""
    return {word for line in output.splitlines() for word in line.split() if word.startswith("keys-")}
