"""The create-user request: its number, its delay, its fault, the work, and the entry in the record."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from .accounts import Account, Accounts, Existing, User, UserExists, domain_of
from .answers import Refused, in_json, refused
from .connection import Connection, Head
from .faults import Fault, Faults
from .record import Entry
from .replies import Reply, after_work, before_work, dropped, whole

_ADDRESS = re.compile(r"[^@\s]+@[a-z0-9.-]+\.[a-z0-9-]+", re.ASCII | re.IGNORECASE)


class CreateUser:
    """Answers the create-user requests of one server.

    Args:
        accounts: what the server knows; its record gets an entry for each request.
        faults: which request goes wrong, and how.
        latency: seconds between a request and the work for it.
    """

    def __init__(self, accounts: Accounts, faults: Faults, latency: float) -> None:
        self._accounts = accounts
        self._faults = faults
        self._latency = latency
        self._numbers = itertools.count(1)

    async def reply(self, head: Head, connection: Connection) -> Reply:
        """Do the work, or what the fault leaves of it, and say so in the record before the answer goes out.

        A client that hangs up during the latency changes nothing. What still waits when the server stops is neither
        done nor answered, and recorded so.
        """
        asked = _Asked(next(self._numbers), time.time(), self._accounts.account(head.headers.get("x-api-key", "")))
        try:
            asked.body = _json(await connection.body())
            if self._latency:
                await asyncio.sleep(self._latency)
            self._play(asked, head)
        finally:
            self._accounts.record.add(asked.entry())
        return asked.reply

    def _play(self, asked: _Asked, head: Head) -> None:
        fault = asked.fault = self._faults.of(asked.number)
        if fault is not None and fault.before_work:
            asked.reply = before_work(fault, self._faults)
            return
        try:
            asked.user = self._user(asked, head)
            right = in_json(vars(asked.user))
        except Refused as refusal:
            right = refusal.answer
        asked.reply = whole(right) if fault is None else after_work(fault, self._faults, right)

    def _user(self, asked: _Asked, head: Head) -> User:
        account = _provisioner(asked.account, head)
        if head.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise refused(415, "Content-Type is not application/json")
        email = asked.email
        if email is None:
            raise refused(400, "the body is not JSON, or its email is missing or no address")
        if domain_of(email) != account.domain:
            raise refused(403, "users are created at the orchestrator's own domain")
        try:
            return self._accounts.create(email)
        except UserExists:
            raise _exists(self._accounts.existing) from None


@dataclass
class _Asked:
    """What is known of one request so far."""

    number: int
    at: float
    account: Account | None
    body: Any = None
    fault: Fault | None = None
    user: User | None = None
    reply: Reply = field(default_factory=dropped)

    @property
    def email(self) -> str | None:
        """The address in the body, be the request right or wrong."""
        email = self.body.get("email") if isinstance(self.body, dict) else None
        return email if isinstance(email, str) and _ADDRESS.fullmatch(email) else None

    def entry(self) -> Entry:
        """The request as the record has it."""
        return Entry(
            n=self.number,
            at=self.at,
            email=self.email,
            account=self.account.email if self.account else None,
            fault=self.fault,
            status=self.reply.status,
            done=self.user is not None,
            key=self.user.api_key if self.user else None,
        )


def _json(body: bytes) -> Any:
    """What the body holds; None when it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _provisioner(account: Account | None, head: Head) -> Account:
    """The account that asks, when its two headers belong together and it may create users."""
    user_id = head.headers.get("x-user-id")
    if account is None:
        raise refused(401, "X-API-Key is missing or not known")
    if not user_id:
        raise refused(400, "X-User-ID is missing")
    if user_id.lower() != account.email.lower():
        raise refused(403, "X-User-ID is not the account of X-API-Key")
    if not account.is_provisioner:
        raise refused(403, "is_provisioner is not enabled on this account")
    return account


def _exists(existing: Existing) -> Refused:
    """What refuses a user that exists."""
    if existing is Existing.UNPROCESSABLE:
        return Refused(in_json({"detail": "User already exists"}, 422))
    status = 400 if existing is Existing.BAD_REQUEST else 409
    return refused(status, "a user with this email already exists")
