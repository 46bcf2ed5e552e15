"""What a process does with the ledger, in the order in which the use cases do it."""

from __future__ import annotations

from typing import cast

from pulumi_openfunnel.errors import LedgerUnusable
from pulumi_openfunnel.ledger import changes, upkeep
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.sealing import Seal
from pulumi_openfunnel.ledger.turns import Asked, Busy, Holds, Taken

from .seams import PlainSeal, Script, hand, works
from .stepping import Process, take
from .terms import EXISTS, HALF, LOST, NO_ANSWER, NO_LEDGER, PROBABLY, TAKEN

REQUESTS = 2  # for one attempt: the first and one repetition

_AGAIN = "again"


def create(identity: Identity) -> Script:
    """Provision a user; the key, or why there is none."""

    def script(process: Process) -> object:
        result = _create(process, identity)
        process.mind.owners.end()
        return result

    return script


def adopt(identity: Identity, key: str, moved_from: str | None = None) -> Script:
    """Take over a user by its key."""

    def script(process: Process) -> object:
        result = _adopt(process, identity, key, moved_from)
        process.mind.owners.end()
        return result

    return script


def rekey(new: str) -> Script:
    """Seal every answer anew."""

    def script(process: Process) -> object:
        try:
            done = upkeep.rekey(process.mind.ledger, cast("Seal", PlainSeal(new)), [cast("Seal", PlainSeal())])
        except LedgerUnusable:
            return NO_LEDGER
        process.mind.owners.end()
        return done

    return script


def _create(process: Process, identity: Identity) -> str:
    while True:
        process.at("begin")
        try:
            turn = process.mind.ledger.begin(identity)
        except LedgerUnusable:
            return NO_LEDGER
        if isinstance(turn, Taken):
            return TAKEN
        if isinstance(turn, Busy):
            process.at("wait", turn)
            take("wait", turn)
        elif isinstance(turn, Holds):
            result = _recall(process, turn)
            if result is not None:
                return result
        else:
            result = _ask(process, turn)
            if result != _AGAIN:
                return result


def _recall(process: Process, holds: Holds) -> str | None:
    ledger = process.mind.ledger
    try:
        for kept in holds.kept:
            process.at("try", holds, kept)
            body = kept.opened(cast("list[Seal]", [PlainSeal(), PlainSeal("new")]))
            if body is None:
                return NO_LEDGER
            key = body.decode()
            if kept.is_dead(key) or not works(key):
                ledger.bury(kept, key, "refused")
            elif ledger.claim(kept, key) is not None:
                ledger.doubt(kept, changes.SHARED)
                return TAKEN
            else:
                return _handed(kept.identity, key)
    except LedgerUnusable:
        return NO_LEDGER
    return None


def _ask(process: Process, asked: Asked) -> str:
    """Send requests until one is answered; the attempt is left in any case."""
    ledger, lost, mine = process.mind.ledger, False, asked
    try:
        for number in range(REQUESTS):
            process.at("ask", mine, number, lost)
            if not _may_send(process, mine):
                _leave(process, mine, lost=lost)
                return _AGAIN
            came = take("send", mine.identity.internal_email, process.name)
            if came is None:
                return _exists(process, mine, lost=lost)
            if came not in (NO_ANSWER, HALF):
                return _answered(process, mine, came)
            lost = True
            if came == HALF:
                anew = _cut_off(process, mine)
                if anew is None:
                    return _AGAIN
                mine = anew
        _leave(process, mine, lost=True)
        return LOST
    finally:
        ledger.let_go(mine)


def _cut_off(process: Process, asked: Asked) -> Asked | None:
    """Half an answer is kept, and takes the attempt's place; the next request has another one."""
    process.at("cut off", asked)
    try:
        process.mind.ledger.answered(asked, b"of_", PlainSeal(), whole=False)
        anew: Asked | None = process.mind.ledger.anew(asked)
    except LedgerUnusable:
        return None
    return anew


def _may_send(process: Process, asked: Asked) -> bool:
    try:
        return bool(process.mind.ledger.sending(asked))
    except LedgerUnusable:
        return False


def _exists(process: Process, asked: Asked, *, lost: bool) -> str:
    process.at("exists", asked, lost)
    try:
        found = process.mind.ledger.look_again(asked)
    except LedgerUnusable:
        found = None
    process.at("found", asked, lost, found)
    _leave(process, asked, lost=lost)
    if isinstance(found, Holds | Busy):
        return _AGAIN
    if isinstance(found, Taken):
        return TAKEN
    return PROBABLY if lost or (found is not None and found.lost_before) else EXISTS


def _leave(process: Process, asked: Asked, *, lost: bool) -> None:
    try:
        process.mind.ledger.leave(asked, lost=lost)
    except LedgerUnusable:
        return  # the run that did not close it ends


def _answered(process: Process, asked: Asked, key: str) -> str:
    """The answer is kept, looked at, claimed and handed over; what cannot be written is in the state alone."""
    ledger, identity, kept = process.mind.ledger, asked.identity, True
    process.at("answered", asked, key)
    try:
        ledger.answered(asked, key.encode(), PlainSeal())
    except LedgerUnusable:
        kept = False
    process.at("claims", asked, key, kept)
    try:
        if ledger.claim(asked, key) is not None:
            process.at("doubts", asked)
            ledger.doubt(asked, changes.SHARED)
            return TAKEN
        if kept and ledger.lapsed(asked):
            return _AGAIN
    except LedgerUnusable:
        kept = False
    return _handed(identity, key, in_state_alone=not kept)


def _adopt(process: Process, identity: Identity, key: str, moved_from: str | None) -> str:
    try:
        refused = process.mind.ledger.adopt(identity, key, key.encode(), PlainSeal(), moved_from)
    except LedgerUnusable:
        return NO_LEDGER
    if refused is not None:
        return TAKEN if isinstance(refused, Taken) else "busy"
    return _handed(identity, key)


def _handed(identity: Identity, key: str, *, in_state_alone: bool = False) -> str:
    hand(identity, key, in_state_alone=in_state_alone)
    return key
