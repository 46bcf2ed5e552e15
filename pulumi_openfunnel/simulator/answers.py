"""The answers that a client does not hope for: refusals, and faults on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import math

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .connection import transport_of
from .faults import Fault, Faults

_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "USER_EXISTS",
    415: "UNSUPPORTED_MEDIA_TYPE",
}
_BLANKS = b" " * 16_384


def refusal(error: HTTPException) -> Response:
    """The JSON of a request that is refused."""
    body = {"error_code": _CODES[error.status_code], "message": error.detail}
    return JSONResponse(body, error.status_code, headers=error.headers)


def instead(fault: Fault, faults: Faults) -> Response:
    """What stands in for an answer, and needs nothing of it."""
    match fault:
        case Fault.RATE_LIMITED:
            seconds = int(faults.retry_after) if float(faults.retry_after).is_integer() else faults.retry_after
            return JSONResponse({"error_code": "RATE_LIMITED", "details": {"retry_after_seconds": seconds}}, 429)
        case Fault.RATE_LIMITED_BY_HEADER:
            header = {"Retry-After": str(math.ceil(faults.retry_after))}
            return JSONResponse({"error_code": "RATE_LIMITED"}, 429, headers=header)
        case Fault.BAD_GATEWAY:
            return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
        case Fault.DROP_BEFORE | Fault.DROP_AFTER:
            return Dropped()
        case _:
            return JSONResponse({"error_code": "INTERNAL_ERROR"}, 500)


def spoilt(fault: Fault, faults: Faults, right: Response) -> Response:
    """What becomes of the right answer on its way."""
    match fault:
        case Fault.HALF_BODY:
            return _Half(right)
        case Fault.ENDLESS:
            return _Endless(right)
        case Fault.TRICKLE:
            return _Trickle(right, faults.pace)
        case Fault.GARBAGE:
            return Response(b"\x00\xff{]", right.status_code, media_type="application/json")
        case Fault.HOLD:
            return _Held(right, faults.hold)
        case _:
            return instead(fault, faults)


class Dropped(Response):
    """No answer: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        transport_of(scope).abort()
        await _hung_up(receive)


class _Spoilt(Response):
    """Goes out with the status and the headers of the right answer."""

    def __init__(self, right: Response) -> None:
        super().__init__(right.body, right.status_code)
        self.raw_headers = right.raw_headers

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, send: Send, part: bytes) -> None:
        await send({"type": "http.response.body", "body": part, "more_body": True})


class _Half(_Spoilt):
    """Its Content-Length is true, but the second half is missing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._start(send)
        await self._send(send, bytes(self.body[: len(self.body) // 2]))
        transport_of(scope).close()
        await _hung_up(receive)


class _Endless(_Spoilt):
    """Blanks that never end; without a Content-Length they go out in chunks."""

    def __init__(self, right: Response) -> None:
        super().__init__(right)
        self.raw_headers = [(name, value) for name, value in right.raw_headers if name != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._start(send)
        transport = transport_of(scope)
        while not transport.is_closing():
            await self._send(send, _BLANKS)
            # A client that reads as fast as this writes would leave no turn to others.
            await asyncio.sleep(0)
        await _hung_up(receive)


class _Trickle(_Spoilt):
    """The right answer, byte by byte."""

    def __init__(self, right: Response, pace: float) -> None:
        super().__init__(right)
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await self._start(send)
        for byte in bytes(self.body):
            if await _hung_up(receive, self._pace):
                return
            await self._send(send, bytes([byte]))
        await send({"type": "http.response.body", "body": b""})


class _Held(_Spoilt):
    """The right answer, late."""

    def __init__(self, right: Response, seconds: float) -> None:
        super().__init__(right)
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await _hung_up(receive, self._seconds):
            await super().__call__(scope, receive, send)


async def _hung_up(receive: Receive, seconds: float | None = None) -> bool:
    """Whether the connection ends within these seconds; also the stopping server ends it."""

    async def disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(disconnect(), seconds)
        return True
    return False
