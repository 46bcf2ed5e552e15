"""The simulator's HTTP face: two routes, and a refusal for everything else."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .accounts import Account, Accounts, UserExists, domain_of

_ADDRESS = re.compile(r"[^@\s]+@[a-z0-9.-]+\.[a-z0-9-]+", re.ASCII | re.IGNORECASE)
_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "USER_EXISTS",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def build(accounts: Accounts) -> Starlette:
    """The application that serves these accounts."""
    app = Starlette(
        routes=[
            Route("/api/v1/admin/create-user", _create_user, methods=["POST"]),
            Route("/api/v1/credits/balance", _balance, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refusal},
    )
    app.state.accounts = accounts
    return app


async def _create_user(request: Request) -> Response:
    accounts: Accounts = request.app.state.accounts
    account = _provisioner(request, accounts)
    email = await _email(request)
    if domain_of(email) != account.domain:
        raise HTTPException(403, "users are created at the orchestrator's own domain")
    try:
        user = accounts.create(email)
    except UserExists:
        raise HTTPException(accounts.existing_status, "a user with this email already exists") from None
    return JSONResponse({"id": user.id, "email": user.email, "api_key": user.api_key})


async def _balance(request: Request) -> Response:
    accounts: Accounts = request.app.state.accounts
    balance = accounts.balance(request.headers.get("X-API-Key", ""))
    if balance is None:
        raise HTTPException(401, "X-API-Key is missing or not known")
    return JSONResponse(balance)


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


async def _email(request: Request) -> str:
    """The body's one field."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Content-Type is not application/json")
    try:
        body: Any = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    email = body.get("email") if isinstance(body, dict) else None
    if not isinstance(email, str) or not _ADDRESS.fullmatch(email):
        raise HTTPException(400, "email is missing or no address")
    return email


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = {"error_code": _CODES[error.status_code], "message": error.detail}
    return JSONResponse(body, error.status_code, headers=error.headers)
