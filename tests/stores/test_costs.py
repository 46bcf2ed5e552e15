"""What a user costs in requests to a bucket, as docs/ledger.md says it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from harness.servers.proxies import HttpProxy
from harness.servers.s3 import S3Server
from pulumi_openfunnel.ledger_urls import parse
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.provisioning.ownership import release
from pulumi_openfunnel.settings import Settings

from ..servers import ORCHESTRATOR, PROVISIONER_KEY

_USERS = [EndUser(f"user{number}@customers.com", f"user{number}@orchestrator.com") for number in range(5)]


class Bucket:
    """A ledger in a bucket, and the requests that reach it."""

    def __init__(self, server: S3Server, proxy: HttpProxy, api: str) -> None:
        self.place = parse(server.url(server.bucket(), port=proxy.port))
        self._proxy = proxy
        self._connections = Connections()
        self._settings = Settings(ORCHESTRATOR, "orchestrator.com", api, PROVISIONER_KEY, timeout=20, ledger=self.place)

    def create(self, users: list[EndUser]) -> list[ProvisionedKey]:
        """Create users, or find their keys."""
        found = [provision(self._caller, user) for user in users]
        return [key for key in found if isinstance(key, ProvisionedKey)]

    def release(self, user: EndUser, key: ProvisionedKey) -> None:
        """A user leaves its stack."""
        assert self.place is not None
        assert release(self._connections, self.place, self._caller, user, key, revoked=False)

    def end(self) -> None:
        """The operation is over."""
        self._connections.close()

    def counted(self) -> Counter[str]:
        """The requests so far, by method; those of the run's own document apart. They are forgotten."""
        lines = [exchange.line for exchange in self._proxy.exchanges if "/runs/" not in exchange.line]
        self._proxy.exchanges.clear()
        return Counter(line.partition(" ")[0] for line in lines)

    @property
    def _caller(self) -> Caller:
        return Caller(self._settings, self._connections)


@pytest.fixture
def bucket(s3_server: S3Server, api: str) -> Iterator[Bucket]:
    with contextlib.closing(HttpProxy(s3_server.port)) as proxy:
        made = Bucket(s3_server, proxy, api)
        made.create([EndUser("first@customers.com", "first@orchestrator.com")])  # finds the place out
        made.counted()
        yield made
        made.end()


def test_a_new_user_is_three_writes(bucket: Bucket) -> None:
    """A new user costs three writes and no read."""
    assert len(bucket.create(_USERS)) == len(_USERS)
    assert bucket.counted() == {"PUT": 3 * len(_USERS)}


def test_a_key_that_is_found_is_two_writes_and_three_reads(bucket: Bucket) -> None:
    """A user whose key the ledger has costs two writes, of which one tells that it has it, and three reads."""
    bucket.create(_USERS)
    bucket.counted()
    assert all(key.recalled for key in bucket.create(_USERS))
    assert bucket.counted() == {"PUT": 2 * len(_USERS), "GET": 3 * len(_USERS)}


def test_a_user_that_leaves_is_one_write_and_four_reads(bucket: Bucket) -> None:
    """A user that leaves its stack costs one write and four reads."""
    keys = bucket.create(_USERS)
    bucket.counted()
    for user, key in zip(_USERS, keys, strict=True):
        bucket.release(user, key)
    assert bucket.counted() == {"PUT": len(_USERS), "GET": 4 * len(_USERS)}
