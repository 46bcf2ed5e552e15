"""Each verb of the core, killed at each of its system calls: no key that reached the disk is lost, nobody is asked for twice.

``CRASH_POINTS=all`` takes every system call of every verb with every server; without it a part, always the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pulumi_openfunnel.simulator import Existing, Fault

from .campaign import Campaign, spread, two_at_once
from .core import openfunnel
from .places import Files
from .processes import Driver
from .verbs import VERBS, Create

_ALL = os.environ.get("CRASH_POINTS") == "all"
_SERVERS = (Existing.CONFLICT, Existing.SAME_KEY, Existing.NEW_KEY)
# Only a create makes requests, so only a create meets different servers.
_CASES = [(verb, server) for verb in VERBS for server in _SERVERS[: None if _ALL or verb == "create" else 1]]


@pytest.mark.parametrize(("verb", "existing"), _CASES, ids=lambda part: getattr(part, "value", part))
def test_a_kill_at_any_system_call_loses_no_key(
    verb: str, existing: Existing, drivers: list[Driver], directory: Path
) -> None:
    """After a kill, the same verb brings the key that was kept, or asks once and says what may have happened."""
    first = (verb, existing) == _CASES[0]
    with openfunnel(existing) as api:
        campaign = Campaign(VERBS[verb](api, Files(directory), drivers[0]), drivers, directory)
        points = campaign.points()
        chosen = points if _ALL else spread(points, 16 if first else 32, writes=first)
        print(f"{len(chosen)} of {len(points)} system calls")
        assert campaign.violations(chosen) == []


@pytest.mark.parametrize(
    ("variant", "call", "violation"),
    [
        ("no intent", "recvfrom", "a request had gone out of which the ledger knew nothing"),
        ("no intent", "recvfrom", "the error does not say that an earlier run probably created the user"),
        ("late answer", "ftruncate", "an answer was looked at before it was kept"),
    ],
)
def test_a_broken_product_is_seen(
    variant: str, call: str, violation: str, drivers: list[Driver], directory: Path
) -> None:
    """The same checks find a violation where a promise is broken on purpose, inside the child alone.

    A missing sync to the disk cannot be seen: what a killed process wrote lives on in the page cache. What stands for
    it is an answer that is committed too late, after it was looked at.
    """
    with openfunnel(Existing.CONFLICT) as api:
        campaign = Campaign(Create(api, Files(directory), drivers[0]), drivers, directory, variant)
        points = [point for point in campaign.points() if point.name == call]
        found = campaign.violations(points)
    assert any(violation in line for line in found), found


@pytest.mark.parametrize(("variant", "requests"), [(None, 1), ("no lock", 2)])
def test_two_processes_at_once_ask_once(
    variant: str | None, requests: int, drivers: list[Driver], directory: Path
) -> None:
    """A process waits for the one that asks already, and gets its key; one that sees no locks asks again."""
    with openfunnel(Existing.CONFLICT) as api:
        api.fail_next(Fault.HOLD)
        wrong = two_at_once(api, drivers, directory, variant)
    assert wrong == ([] if requests == 1 else ["2 requests for one user", "they got different keys"])
