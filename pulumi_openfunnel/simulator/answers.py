"""What the simulator answers: the right thing, refusals, and what stands in for an answer."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from .faults import Fault

_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "USER_EXISTS",
    415: "UNSUPPORTED_MEDIA_TYPE",
    425: "TOO_EARLY",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
_LONG = 3600  # seconds


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``repr`` does not show the body, which may hold a key."""

    status: int
    body: bytes = field(repr=False)
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that is refused.

    Attributes:
        answer: what says so.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    """A refusal in OpenFunnel's own form."""
    return Refused(in_json({"error_code": _CODES[status], "message": message}, status, headers))


def in_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer whose body is this value."""
    return Answer(status, json.dumps(value, separators=(",", ":")).encode(), headers=headers or {})


def instead(fault: Fault, retry_after: float) -> Answer:
    """The whole answer of a fault.

    Args:
        fault: one that has an answer of its own.
        retry_after: seconds that it asks to wait, where it asks at all.
    """
    return _INSTEAD[fault](retry_after)


def _error(status: int, header: str | None = None) -> Answer:
    return in_json({"error_code": _CODES[status]}, status, {"Retry-After": header} if header else None)


def _limited(seconds: float) -> Answer:
    plain = int(seconds) if float(seconds).is_integer() else seconds
    return in_json({"error_code": _CODES[429], "details": {"retry_after_seconds": plain}}, 429)


def _page(status: int, challenge: str | None = None) -> Answer:
    """What a proxy or a gateway of somebody else's says."""
    title = f"{status} {HTTPStatus(status).phrase}"
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    headers = {challenge: 'Basic realm="somebody else"'} if challenge else {}
    return Answer(status, html.encode(), "text/html; charset=utf-8", headers)


def _whole(seconds: float) -> str:
    return str(math.ceil(seconds))


def _date(seconds: float) -> str:
    return formatdate(math.ceil(time.time() + seconds), usegmt=True)


_INSTEAD: Mapping[Fault, Callable[[float], Answer]] = {
    Fault.RATE_LIMITED: _limited,
    Fault.RATE_LIMITED_BY_HEADER: lambda seconds: _error(429, _whole(seconds)),
    Fault.RATE_LIMITED_FOR_LONG: lambda _: _limited(_LONG),
    Fault.ERROR: lambda _: _error(500),
    Fault.ERROR_AFTER: lambda _: _error(500),
    Fault.BAD_GATEWAY: lambda _: _page(502),
    Fault.UNAVAILABLE: lambda seconds: _error(503, _whole(seconds)),
    Fault.UNAVAILABLE_UNTIL: lambda seconds: _error(503, _date(seconds)),
    Fault.TIMEOUT: lambda _: _error(408),
    Fault.TOO_EARLY: lambda _: _error(425),
    Fault.UNAUTHORIZED: lambda _: _error(401),
    Fault.FORBIDDEN: lambda _: _error(403),
    Fault.UNAUTHORIZED_PAGE: lambda _: _page(401, "WWW-Authenticate"),
    Fault.FORBIDDEN_PAGE: lambda _: _page(403),
    Fault.PROXY_PAGE: lambda _: _page(407, "Proxy-Authenticate"),
}
