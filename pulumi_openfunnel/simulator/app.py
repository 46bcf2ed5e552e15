"""The simulator's routes: two, and a refusal for everything else."""

from __future__ import annotations

from .accounts import Accounts
from .answers import Refused, in_json, refused
from .connection import Connection, Head
from .create_user import CreateUser
from .replies import Reply, whole

_CREATE_USER = "/api/v1/admin/create-user"
_BALANCE = "/api/v1/credits/balance"
_METHODS = {_CREATE_USER: "POST", _BALANCE: "GET"}


class App:
    """Answers each request.

    Args:
        accounts: what the server knows.
        create_user: answers the requests that create users.
    """

    def __init__(self, accounts: Accounts, create_user: CreateUser) -> None:
        self._accounts = accounts
        self._create_user = create_user

    async def reply(self, head: Head, connection: Connection) -> Reply:
        """Do what a request asks for.

        Args:
            head: the request without its body.
            connection: where the body is to be read.

        Returns:
            What it comes to; it has to be sent.

        Raises:
            HungUp: when the client leaves within its request.
        """
        if (head.path, head.method) == (_CREATE_USER, "POST"):
            return await self._create_user.reply(head, connection)
        await connection.body()
        try:
            return whole(in_json(self._balance(head)))
        except Refused as refusal:
            return whole(refusal.answer)

    def _balance(self, head: Head) -> dict[str, float]:
        method = _METHODS.get(head.path)
        if method is None:
            raise refused(404, "there is no such route")
        if head.method != method:
            raise refused(405, f"this route takes {method} alone", {"Allow": method})
        balance = self._accounts.balance(head.headers.get("x-api-key", ""))
        if balance is None:
            raise refused(401, "X-API-Key is missing or not known")
        return balance
