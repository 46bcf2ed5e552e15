"""Each verb of the core, stopped at each call of its store: whatever is lost with the machine, the ledger is enough.

``CRASH_POINTS=all`` takes every call of every verb; without it a part, always the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.servers.postgres import PostgresServer
from harness.servers.s3 import S3Server
from pulumi_openfunnel.simulator import Existing

from . import kinds
from .call_campaign import CallCampaign, CallPoint
from .core import openfunnel
from .kinds import Kind
from .processes import Driver
from .verbs import VERBS, Create

_ALL = os.environ.get("CRASH_POINTS") == "all"
_SHORT = ("create", "delete")
_VERBS = tuple(VERBS) if _ALL else _SHORT
_STEP = 7  # every so-manieth point of what makes no request
_TELLING = ("put_new users", "put_new answers", "put_new keys")
_SHARED = ("s3", "postgres")


@pytest.fixture
def kind_of(directory: Path, request: pytest.FixtureRequest) -> Callable[[str], Kind]:
    """The kind of store of that name; its server is started."""

    def found(name: str) -> Kind:
        if name == "sqlite":
            return kinds.sqlite(directory)
        server = request.getfixturevalue(f"{name}_server")
        return kinds.s3(server) if isinstance(server, S3Server) else kinds.postgres(_postgres(server))

    return found


@pytest.mark.parametrize("name", ["sqlite", *_SHARED])
@pytest.mark.parametrize("verb", _VERBS)
def test_a_kill_at_any_call_of_the_store_loses_no_key(
    verb: str, name: str, kind_of: Callable[[str], Kind], many_drivers: list[Driver], tmp_path: Path
) -> None:
    """After a kill before or after a call, or a lost reply, another machine brings the key, or asks once.

    What the dead one began is in nobody's way once its lease is over: the other machine's patience ends soon after that.
    """
    with openfunnel(Existing.CONFLICT) as api:
        campaign = CallCampaign(VERBS[verb](api, kind_of(name).places, many_drivers[0]), many_drivers, tmp_path)
        points = campaign.points()
        assert campaign.violations(points if _ALL else _chosen(verb, points)) == []


@pytest.mark.parametrize("name", _SHARED)
@pytest.mark.parametrize("verb", _VERBS if _ALL else ("create",))
def test_a_lost_reply_changes_nothing(
    verb: str, name: str, kind_of: Callable[[str], Kind], many_drivers: list[Driver], tmp_path: Path
) -> None:
    """Where a server's reply to any one write is lost on its way, the verb succeeds, with one request at most."""
    kind = kind_of(name)
    with openfunnel(Existing.NEW_KEY) as api:
        campaign = CallCampaign(VERBS[verb](api, kind.places, many_drivers[0]), many_drivers, tmp_path)
        assert campaign.violations_behind(kind) == []


@pytest.mark.parametrize(
    ("variant", "violation"),
    [
        ("no intent", "a request had gone out of which the ledger knew nothing"),
        ("late answer", "an answer was looked at before it was kept"),
    ],
)
def test_a_broken_product_is_seen(
    variant: str, violation: str, kind_of: Callable[[str], Kind], many_drivers: list[Driver], tmp_path: Path
) -> None:
    """The same checks find a violation where a promise is broken on purpose."""
    with openfunnel(Existing.CONFLICT) as api:
        places = kind_of("sqlite").places
        campaign = CallCampaign(Create(api, places, many_drivers[0]), many_drivers, tmp_path, variant)
        found = campaign.violations(_chosen("create", campaign.points()))
    assert any(violation in line for line in found), found


def _chosen(verb: str, points: list[CallPoint]) -> list[CallPoint]:
    """A part of the points, always the same: of a create all around the three writes that count."""
    return [point for point in points if point.call in _TELLING] if verb == "create" else points[::_STEP]


def _postgres(server: object) -> PostgresServer:
    assert isinstance(server, PostgresServer)
    return server
