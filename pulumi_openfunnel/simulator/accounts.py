"""What the simulated OpenFunnel knows: orchestrators, the users they created, and their credits."""

from __future__ import annotations

import enum
import json
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .record import Record


class Existing(enum.Enum):
    """What create-user answers for a user that exists; the documentation does not say."""

    CONFLICT = "409"
    BAD_REQUEST = "400"
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
        return domain_of(self.email)


@dataclass(frozen=True)
class User:
    """A user that an account created; ``repr`` does not show the key."""

    id: int | str
    email: str
    api_key: str = field(repr=False)


class UserExists(Exception):
    """The email is taken, and the simulator was told to refuse it."""


class Accounts:
    """All state of one simulator. Safe to share between threads.

    Args:
        accounts: the customers.
        existing: what an existing user is answered with.
        ids: what kind of id a user gets.
        credits: what every domain has, shared by its accounts and their users.
        data: a JSON file that the users are read from and written to; None keeps them in memory.
        record: a file that gets a line of JSON for each create-user request, keys included.

    Attributes:
        record: each create-user request and what came of it.

    Raises:
        OSError, ValueError: when a file cannot be read or written, or ``data`` holds something else.
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
        self._accounts = {account.api_key: account for account in accounts}
        self._existing = existing
        self._ids = ids
        self._credits = credits
        self._data = data
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        if data is not None and data.exists():
            self._users = _load(data)
        self._keys = {user.api_key for user in self._users.values()}
        self._save()
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
            if known is None:
                user = User(self._new_id(), email, _new_key())
            elif self._existing is Existing.SAME_KEY:
                return known
            elif self._existing is Existing.NEW_KEY:
                user = User(known.id, email, _new_key())
                self._keys.discard(known.api_key)
            else:
                raise UserExists
            self._users[email] = user
            self._keys.add(user.api_key)
            self._save()
            return user

    def revoke(self, email: str) -> None:
        """Let a user's key stop working, though the user still has it; forgotten with a restart.

        Raises:
            KeyError: when there is no such user.
        """
        with self._lock:
            self._keys.discard(self._users[email.lower()].api_key)

    @property
    def existing_status(self) -> int:
        """The status that refuses an existing user."""
        return 400 if self._existing is Existing.BAD_REQUEST else 409

    def balance(self, api_key: str) -> dict[str, float] | None:
        """The credits of the domain that a key is billed to; None when nobody has that key."""
        with self._lock:
            known = api_key in self._accounts or api_key in self._keys
        if not known:
            return None
        return {"total_credits": self._credits, "credits_used": 0.0, "credits_left": self._credits}

    def _new_id(self) -> int | str:
        number = len(self._users) + 1
        return number if self._ids is Ids.NUMBER else f"usr_{number:06d}"

    def _save(self) -> None:
        """Write all users aside, readable by their owner alone, then put them in place."""
        if self._data is None:
            return
        aside = self._data.with_name(self._data.name + ".new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump([asdict(user) for user in self._users.values()], file, indent=1)
        aside.replace(self._data)


def domain_of(email: str) -> str:
    """What stands behind the @, in lower case; empty when there is none."""
    return email.rpartition("@")[2].lower() if "@" in email else ""


def _load(data: Path) -> dict[str, User]:
    try:
        return {row["email"]: User(**row) for row in json.loads(data.read_text())}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{data} holds no users of a simulator") from error


def _new_key() -> str:
    return f"of_{secrets.token_urlsafe(24)}"
