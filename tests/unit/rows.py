"""The ledger's rows: end users to write down, and how far each row has come."""

from __future__ import annotations

from dataclasses import replace

from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity, Row, Status

from ..servers import INTERNAL_EMAIL, ORCHESTRATOR

ALICE = Identity("https://api.openfunnel.dev", ORCHESTRATOR, INTERNAL_EMAIL, "alice@alice-startup.com")
BOB = replace(ALICE, internal_email="bob@orchestrator.com", email="bob@bob.com")
ALSO_ALICE = replace(ALICE, email="alice@another-startup.com")
SEALED = b"a sealed answer, unlike anything else in the file " * 8
KEY_ID = "0123456789abcdef"
PRINT, OTHER_PRINT = "c7785caa04caacfa", "00000000deadbeef"

ASKER = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.ledger import Ledger
from pulumi_openfunnel.ledger.rows import Identity
print(Ledger(Path(sys.argv[1])).begin(Identity(*sys.argv[2:]))[1], flush=True)
sys.stdin.read()
"""


def asked(ledger: Ledger, identity: Identity = ALICE) -> Row:
    row, mine = ledger.begin(identity)
    assert mine
    return row


def answered(ledger: Ledger, identity: Identity = ALICE) -> Row:
    row = asked(ledger, identity)
    ledger.answered(row, SEALED, KEY_ID)
    return row


def issued(ledger: Ledger, identity: Identity = ALICE, fingerprint: str = PRINT) -> Row:
    row = answered(ledger, identity)
    assert ledger.issued(row, fingerprint) is None
    return row


def released(ledger: Ledger) -> Row:
    row = issued(ledger)
    assert ledger.released(ALICE.internal_email, ALICE.email, PRINT, Status.RELEASED)
    return row


def dead(ledger: Ledger) -> Row:
    row = issued(ledger)
    ledger.dead(row, "OpenFunnel refused it")
    return row


def doubted(ledger: Ledger) -> Row:
    row = answered(ledger)
    ledger.doubted(row, "with no JSON object")
    return row


def refused(ledger: Ledger) -> Row:
    row = asked(ledger)
    ledger.nothing_done(row)
    ledger.leave(row, refused=True)
    return row


def left_open(ledger: Ledger) -> Row:
    row = asked(ledger)
    ledger.leave(row, refused=False)
    return row


def now(ledger: Ledger, row: Row) -> Row:
    (found,) = [known for known in ledger.rows() if known.id == row.id]
    return found


def statuses(ledger: Ledger, identity: Identity = ALICE) -> list[str]:
    return [row.status.value for row in ledger.history(identity)]
