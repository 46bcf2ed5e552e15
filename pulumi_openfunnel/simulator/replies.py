"""How an answer goes out: whole, spoilt on its way, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .answers import Answer, instead
from .connection import Connection
from .faults import Fault, Faults

_BLANKS = b" " * 16_384


@dataclass(frozen=True)
class Reply:
    """What a request comes to.

    Attributes:
        status: of the answer; None when none is sent.
        send: sends it.
    """

    status: int | None
    send: Callable[[Connection], Awaitable[None]]


def whole(answer: Answer) -> Reply:
    """The answer as it is."""

    async def send(connection: Connection) -> None:
        connection.whole(answer)
        await connection.flush()

    return Reply(answer.status, send)


def dropped() -> Reply:
    """No answer: the connection is closed."""

    async def send(connection: Connection) -> None:
        connection.abort()

    return Reply(None, send)


def before_work(fault: Fault, faults: Faults) -> Reply:
    """What a fault says to a request that was not looked at."""
    return dropped() if fault is Fault.DROP_BEFORE else whole(instead(fault, faults.retry_after))


def after_work(fault: Fault, faults: Faults, right: Answer) -> Reply:
    """What a fault makes of the right answer."""
    spoil = _SPOIL.get(fault)
    return spoil(right, faults) if spoil else whole(instead(fault, faults.retry_after))


def _half(right: Answer, _faults: Faults) -> Reply:
    """The Content-Length is true, but the second half is missing."""

    async def send(connection: Connection) -> None:
        connection.begin(right, length=len(right.body))
        connection.part(right.body[: len(right.body) // 2])
        connection.close()

    return Reply(right.status, send)


def _endless(right: Answer, _faults: Faults) -> Reply:
    """Blanks that never end, in chunks."""

    async def send(connection: Connection) -> None:
        connection.begin(right, length=None)
        while True:
            connection.part(_BLANKS)
            await connection.flush()
            # A client that reads as fast as this writes would leave no turn to others.
            await asyncio.sleep(0)

    return Reply(right.status, send)


def _trickle(right: Answer, faults: Faults) -> Reply:
    """The right answer, byte by byte."""

    async def send(connection: Connection) -> None:
        connection.begin(right, length=len(right.body))
        for byte in right.body:
            await connection.stays(faults.pace)
            connection.part(bytes([byte]))
        connection.end()

    return Reply(right.status, send)


def _held(right: Answer, faults: Faults) -> Reply:
    """The right answer, late."""

    async def send(connection: Connection) -> None:
        await connection.stays(faults.hold)
        connection.whole(right)

    return Reply(right.status, send)


_SPOIL: Mapping[Fault, Callable[[Answer, Faults], Reply]] = {
    Fault.DROP_AFTER: lambda _right, _faults: dropped(),
    Fault.HALF_BODY: _half,
    Fault.ENDLESS: _endless,
    Fault.TRICKLE: _trickle,
    Fault.GARBAGE: lambda right, _faults: whole(Answer(right.status, b"\x00\xff{]")),
    Fault.HOLD: _held,
}
