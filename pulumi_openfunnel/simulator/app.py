"""The simulator's HTTP face: two routes, and a refusal for everything else."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .accounts import Accounts
from .answers import refusal
from .create_user import CreateUser


def build(accounts: Accounts, create_user: CreateUser) -> Starlette:
    """The application that serves these accounts."""
    app = Starlette(
        routes=[
            Route("/api/v1/admin/create-user", create_user.answer, methods=["POST"]),
            Route("/api/v1/credits/balance", _balance, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refusal},
    )
    app.state.accounts = accounts
    return app


async def _balance(request: Request) -> Response:
    accounts: Accounts = request.app.state.accounts
    balance = accounts.balance(request.headers.get("X-API-Key", ""))
    if balance is None:
        raise HTTPException(401, "X-API-Key is missing or not known")
    return JSONResponse(balance)


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return refusal(error)
