"""The create-user request: its number, its delay, its fault, the work, and the entry in the record."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, Accounts, User, UserExists, domain_of
from .answers import Dropped, instead, refusal, spoilt
from .faults import Fault, Faults
from .record import Entry

_ADDRESS = re.compile(r"[^@\s]+@[a-z0-9.-]+\.[a-z0-9-]+", re.ASCII | re.IGNORECASE)


class CreateUser:
    """Answers the create-user requests of one server.

    Args:
        accounts: what the server knows; its record gets an entry for each request.
        faults: which request goes wrong, and how.
        latency: seconds between a request and the work for it.
        stopping: is set when the server stops; what still waits then is neither done nor answered.
    """

    def __init__(self, accounts: Accounts, faults: Faults, latency: float, stopping: asyncio.Event) -> None:
        self._accounts = accounts
        self._faults = faults
        self._latency = latency
        self._stopping = stopping
        self._numbers = itertools.count(1)

    async def answer(self, request: Request) -> Response:
        """Do the work, or what the fault leaves of it, and say so in the record before the answer goes out."""
        number, at = next(self._numbers), time.time()
        fault: Fault | None = None
        user: User | None = None
        answer: Response = Dropped()
        body = await _body(request)
        if body is not None and not await self._stops():
            fault = self._faults.of(number)
            user, answer = self._play(fault, request, body)
        account = self._accounts.account(request.headers.get("X-API-Key", ""))
        entry = Entry(
            n=number,
            at=at,
            email=_address(body or b""),
            account=account.email if account else None,
            fault=fault,
            status=None if isinstance(answer, Dropped) else answer.status_code,
            done=user is not None,
            key=user.api_key if user else None,
        )
        self._accounts.record.add(entry)
        return answer

    async def _stops(self) -> bool:
        """Wait for the latency; whether the server stops meanwhile. A client that hangs up changes nothing."""
        if self._latency:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._latency)
        return self._stopping.is_set()

    def _play(self, fault: Fault | None, request: Request, body: bytes) -> tuple[User | None, Response]:
        if fault is not None and fault.before_work:
            return None, instead(fault, self._faults)
        user, right = self._work(request, body)
        return user, right if fault is None else spoilt(fault, self._faults, right)

    def _work(self, request: Request, body: bytes) -> tuple[User | None, Response]:
        try:
            user = self._user(request, body)
        except HTTPException as error:
            return None, refusal(error)
        return user, JSONResponse({"id": user.id, "email": user.email, "api_key": user.api_key})

    def _user(self, request: Request, body: bytes) -> User:
        account = _provisioner(request, self._accounts)
        email = _email(request, body)
        if domain_of(email) != account.domain:
            raise HTTPException(403, "users are created at the orchestrator's own domain")
        try:
            return self._accounts.create(email)
        except UserExists:
            raise HTTPException(self._accounts.existing_status, "a user with this email already exists") from None


async def _body(request: Request) -> bytes | None:
    """The body; None when the client hung up within it."""
    try:
        return await request.body()
    except ClientDisconnect:
        return None


def _provisioner(request: Request, accounts: Accounts) -> Account:
    """The account that asks, when its two headers belong together and it may create users."""
    account = accounts.account(request.headers.get("X-API-Key", ""))
    user_id = request.headers.get("X-User-ID")
    if account is None:
        raise HTTPException(401, "X-API-Key is missing or not known")
    if not user_id:
        raise HTTPException(400, "X-User-ID is missing")
    if user_id.lower() != account.email.lower():
        raise HTTPException(403, "X-User-ID is not the account of X-API-Key")
    if not account.is_provisioner:
        raise HTTPException(403, "is_provisioner is not enabled on this account")
    return account


def _email(request: Request, body: bytes) -> str:
    """The body's one field."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Content-Type is not application/json")
    try:
        email = _field(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if email is None:
        raise HTTPException(400, "email is missing or no address")
    return email


def _address(body: bytes) -> str | None:
    """The address in any body, be the request right or wrong."""
    with contextlib.suppress(ValueError, RecursionError):
        return _field(body)
    return None


def _field(body: bytes) -> str | None:
    value: Any = json.loads(body)
    email = value.get("email") if isinstance(value, dict) else None
    return email if isinstance(email, str) and _ADDRESS.fullmatch(email) else None
