"""``python -m pulumi_openfunnel ledger`` as a process, and what its tests find in a ledger."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness import clean_environment
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.listing import Row, listed
from pulumi_openfunnel.ledger.opening import ledger_at
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import opened
from pulumi_openfunnel.ledger_urls import parse

from . import forks
from .servers import ORCHESTRATOR, PROVISIONER_KEY
from .unit.rules import ALICE

COMMAND = [sys.executable, "-m", "pulumi_openfunnel", "ledger"]
WITH_KEY = {"OPENFUNNEL_API_KEY": PROVISIONER_KEY}


def run(*args: object, stdin: str = "", **environment: Any) -> subprocess.CompletedProcess[str]:
    """The command's end; no traceback, whatever it is given."""
    known = clean_environment() | {name: str(value) for name, value in environment.items()}
    done = forks.run(["ledger", *map(str, args)], known, stdin=stdin)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def refused(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one line on standard error of a command that did nothing."""
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def document(*args: object, **environment: Any) -> dict[str, Any]:
    """What ``--json`` prints."""
    done = run("--json", *args, **environment)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def at(url: object) -> Iterator[Ledger]:
    """The ledger at a place, as a run of its own."""
    place = parse(str(url))
    assert place is not None
    with contextlib.closing(ledger_at(place)) as ledger:
        yield ledger


def rows(url: object) -> tuple[Row, ...]:
    """What lies at a place; all of it can be read."""
    with at(url) as ledger:
        listing = listed(ledger)
    assert listing.problems == ()
    return listing.rows


def named(name: str) -> Identity:
    """One more end user."""
    return replace(ALICE, internal_email=f"{name}@orchestrator.com", email=f"{name}@{name}.com", user_id=ORCHESTRATOR)


def copies(found: Sequence[Row], key: str, *keys: Seal) -> int:
    """How many answers open with these and hold the key."""
    bodies = [opened(row.answer, row.identity, keys) for row in found if row.answer is not None]
    return sum(body is not None and json.loads(body).get("api_key") == key for body in bodies)
