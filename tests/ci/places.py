"""Where state and ledger lie: a bucket with the roles that docs/ci.md describes, or PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from harness.servers import s3
from harness.servers.postgres import PostgresServer
from pulumi_openfunnel.ledger.stores import store_at
from pulumi_openfunnel.ledger_urls import parse

from ..servers import ORCHESTRATOR
from .workflows import ROOT

_STATE = "s3://YOUR-BUCKET?region=YOUR-REGION"
_LEDGER = "s3://YOUR-BUCKET/openfunnel-ledger?region=YOUR-REGION"
_POLICY = re.compile(r"`(openfunnel-(?:preview|up))`[^\n]*:\n\n```json\n(.*?)```", re.DOTALL)


def policies() -> dict[str, Any]:
    """The policy of each role, as docs/ci.md shows them."""
    return {role: json.loads(policy) for role, policy in _POLICY.findall((ROOT / "docs" / "ci.md").read_text())}


class Place(Protocol):
    """Where state and ledger lie."""

    @property
    def names(self) -> dict[str, str]:
        """What is put in place of what a workflow has in capitals."""

    def credentials(self, role: str | None) -> dict[str, str]:
        """The variables that a job has once it took a role; None for the person who owns the place."""

    def answers(self) -> int:
        """How many answers the ledger holds."""


@dataclass(frozen=True)
class Bucket:
    """A bucket on an S3 server, with a user for each role.

    Attributes:
        server: the server.
        name: the bucket's.
    """

    server: s3.S3Server
    name: str

    @classmethod
    def made(cls, server: s3.S3Server) -> Bucket:
        """A new one: each role may do what its policy says."""
        bucket = cls(server, server.bucket())
        statements = []
        for role, policy in policies().items():
            user = bucket.credentials(role)["AWS_ACCESS_KEY_ID"]
            server.user(user, s3.SECRET_KEY)
            statements += [{**statement, "Principal": {"AWS": [user]}} for statement in policy["Statement"]]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements}).replace("YOUR-BUCKET", bucket.name)
        server.ask("PUT", f"/{bucket.name}?policy=", document.encode())
        return bucket

    @property
    def names(self) -> dict[str, str]:
        query = f"region={s3.REGION}&endpoint=127.0.0.1:{self.server.port}&disableSSL=true&s3ForcePathStyle=true"
        return {
            _STATE: f"s3://{self.name}?{query}",
            _LEDGER: f"s3://{self.name}/openfunnel-ledger?{query}",
            "you@yourco.com": ORCHESTRATOR,
        }

    def credentials(self, role: str | None) -> dict[str, str]:
        key = s3.ACCESS_KEY if role is None else f"{self.name}-{role}"
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY, "AWS_REGION": s3.REGION}

    def answers(self) -> int:
        return sum("answers" in file.parts for file in self.server.files(self.name))

    def content(self) -> Mapping[str, bytes]:
        """Everything that lies in it."""
        return {str(file): file.read_bytes() for file in self.server.files(self.name)}


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database.

    Attributes:
        url: with its password.
    """

    url: str

    @classmethod
    def made(cls, server: PostgresServer) -> Database:
        """A new user with a schema of its own."""
        return cls(server.url(server.user()))

    @property
    def names(self) -> dict[str, str]:
        return {_STATE: self.url, _LEDGER: self.url, "you@yourco.com": ORCHESTRATOR}

    def credentials(self, role: str | None) -> dict[str, str]:  # noqa: ARG002 - they are in the URL
        return {}

    def answers(self) -> int:
        place = parse(self.url)
        assert place is not None
        store = store_at(place, create=False)
        try:
            return len(store.names("answers/"))
        finally:
            store.close()
