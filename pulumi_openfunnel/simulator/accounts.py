"""What the simulated OpenFunnel knows: orchestrators, the users they created, and their credits."""

from __future__ import annotations

import enum
import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .files import Lines
from .record import Record


class Existing(enum.Enum):
    """What create-user answers for a user that exists; the documentation does not say.

    Attributes:
        CONFLICT: 409.
        BAD_REQUEST: 400.
        UNPROCESSABLE: 422, with ``{"detail": "User already exists"}`` and no error_code.
        SAME_KEY: 200 with the user and its key.
        NEW_KEY: 200 with the user and a new key; the old one stops working.
    """

    CONFLICT = "409"
    BAD_REQUEST = "400"
    UNPROCESSABLE = "422"
    SAME_KEY = "same-key"
    NEW_KEY = "new-key"


class Ids(enum.Enum):
    """Whether ids are numbers or strings; the documentation does not say."""

    NUMBER = "number"
    STRING = "string"


@dataclass(frozen=True)
class Account:
    """An OpenFunnel customer.

    Attributes:
        email: the address that X-User-ID carries; its domain owns the credits.
        api_key: the account's key; not shown by ``repr``.
        is_provisioner: whether it may create users.
    """

    email: str
    api_key: str = field(repr=False)
    is_provisioner: bool = True

    @property
    def domain(self) -> str:
        """The domain at which it creates users."""
        return domain_of(self.email)


@dataclass(frozen=True)
class User:
    """A user that an account created.

    Attributes:
        id: a number or a string, as chosen.
        email: the internal email, in lower case.
        api_key: the user's key; not shown by ``repr``.
    """

    id: int | str
    email: str
    api_key: str = field(repr=False)


_ANSWERED = (Existing.SAME_KEY, Existing.NEW_KEY)


class UserExists(Exception):
    """The email is taken, and the simulator was told to refuse it."""


class Accounts:
    """All that one simulator knows. Safe to share between threads.

    Args:
        accounts: the customers, each with an address and a key of its own.
        existing: what a user that exists is answered with. An account's own address is taken, too, and always refused.
        ids: what kind of id a user gets.
        credits: what every domain has, shared by its accounts and their users.
        data: a file that the users are read from and added to, a line of JSON each; None keeps them in memory.
        record: a file that gets a line of JSON for each create-user request, keys included.

    Attributes:
        existing: the same.
        record: each create-user request and what came of it.

    Raises:
        OSError: when a file cannot be read or written.
        ValueError: when ``data`` holds something else, or two accounts have one address or one key.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        existing: Existing = Existing.CONFLICT,
        ids: Ids = Ids.NUMBER,
        credits: float = 200.0,
        data: Path | None = None,
        record: Path | None = None,
    ) -> None:
        self.existing = existing
        self._accounts = _by_key(accounts)
        self._taken = {account.email.lower() for account in self._accounts.values()}
        self._ids = ids
        self._credits = credits
        self._lock = threading.Lock()
        self._lines = None if data is None else Lines(data)
        self._users = {} if data is None else _load(data)
        self._keys = {user.api_key for user in self._users.values()}
        self.record = Record(record)

    @property
    def users(self) -> list[User]:
        """Every user ever created, oldest first."""
        with self._lock:
            return list(self._users.values())

    def account(self, api_key: str) -> Account | None:
        """The customer with this key."""
        return self._accounts.get(api_key)

    def create(self, email: str) -> User:
        """Create a user, or do what was chosen for one that exists.

        Raises:
            UserExists: when the email is taken and such a request is refused.
        """
        email = email.lower()
        with self._lock:
            known = self._users.get(email)
            if email in self._taken or (known is not None and self.existing not in _ANSWERED):
                raise UserExists
            if known is not None and self.existing is Existing.SAME_KEY:
                return known
            return self._issue(known.id if known else self._new_id(), email)

    def revoke(self, email: str) -> None:
        """Let a user's key stop working, though the user still has it; forgotten with a restart.

        Raises:
            KeyError: when there is no such user.
        """
        with self._lock:
            self._keys.discard(self._users[email.lower()].api_key)

    def balance(self, api_key: str) -> dict[str, float] | None:
        """The credits of the domain that a key is billed to; None when nobody has that key."""
        with self._lock:
            known = api_key in self._accounts or api_key in self._keys
        if not known:
            return None
        return {"total_credits": self._credits, "credits_used": 0.0, "credits_left": self._credits}

    def _issue(self, id_: int | str, email: str) -> User:
        """Give a user a key, in place of the one that it had."""
        user = User(id_, email, f"of_{secrets.token_urlsafe(24)}")
        if self._lines is not None:
            self._lines.add(json.dumps(vars(user)))
        if email in self._users:
            self._keys.discard(self._users[email].api_key)
        self._users[email] = user
        self._keys.add(user.api_key)
        return user

    def _new_id(self) -> int | str:
        number = len(self._users) + 1
        return number if self._ids is Ids.NUMBER else f"usr_{number:06d}"


def domain_of(email: str) -> str:
    """What stands behind the @, in lower case; empty when there is none."""
    return email.rpartition("@")[2].lower() if "@" in email else ""


def _by_key(accounts: Iterable[Account]) -> dict[str, Account]:
    found: dict[str, Account] = {}
    addresses: set[str] = set()
    for account in accounts:
        if account.email.lower() in addresses:
            raise ValueError(f"{account.email} is the address of two accounts")
        if account.api_key in found:
            raise ValueError(f"{found[account.api_key].email} and {account.email} have one key")
        addresses.add(account.email.lower())
        found[account.api_key] = account
    return found


def _load(data: Path) -> dict[str, User]:
    """The users of a file; the last line of an address counts."""
    try:
        users = [User(**json.loads(line)) for line in data.read_text().splitlines()]
    except (TypeError, ValueError):
        raise ValueError(f"{data} holds no users of a simulator") from None
    return {user.email: user for user in users}
