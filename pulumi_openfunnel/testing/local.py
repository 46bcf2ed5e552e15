"""A local OpenFunnel as tests want it: what it knows, and what it is to do next."""

from __future__ import annotations

import contextlib
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..simulator import Account, Accounts, Entry, Fault, Faults, User, serve

_USER_ID = "guy@orchestrator.com"


@dataclass(frozen=True)
class _Next(Faults):
    """The faults of the next requests, whichever they are."""

    coming: deque[Fault] = field(default_factory=deque)

    def of(self, number: int) -> Fault | None:  # noqa: ARG002 - whichever it is
        try:
            return self.coming.popleft()
        except IndexError:
            return None


class LocalOpenFunnel:
    """An OpenFunnel that is served on a loopback port.

    Args:
        base_url: where.
        directory: where a ledger may lie.
        accounts: what it knows.
        faults: what its next requests get.
        api_key: the provisioner key.

    Attributes:
        base_url: for ``openfunnel:baseUrl``.
        user_id: for ``openfunnel:userId``: an orchestrator at orchestrator.com.
        api_key: for ``openfunnel:apiKey``: its key, which may create users.
        ledger: for ``openfunnel:ledger``: a file that goes with the test.
    """

    def __init__(self, base_url: str, directory: Path, accounts: Accounts, faults: _Next, api_key: str) -> None:
        self.base_url = base_url
        self.user_id = _USER_ID
        self.api_key = api_key
        self.ledger = directory / "ledger.db"
        self._accounts = accounts
        self._faults = faults

    def __repr__(self) -> str:
        return f"LocalOpenFunnel({self.base_url!r})"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a ``pulumi up`` here, and its ledger away from the machine's own."""
        return {
            "OPENFUNNEL_BASE_URL": self.base_url,
            "OPENFUNNEL_USER_ID": self.user_id,
            "OPENFUNNEL_API_KEY": self.api_key,
            "OPENFUNNEL_LEDGER": str(self.ledger),
        }

    @property
    def users(self) -> list[User]:
        """Every user, oldest first, with its ``id``, ``email`` (the internal one) and ``api_key``."""
        return self._accounts.users

    @property
    def requests(self) -> list[Entry]:
        """Every request for a user, and what came of it."""
        return self._accounts.record.entries

    def add_user(self, email: str) -> User:
        """A user that exists already, as one that was created by hand; asking for it again is answered with 409.

        Args:
            email: the internal one, such as ``"alice@orchestrator.com"``.
        """
        return self._accounts.create(email)

    def fail_next(self, *faults: Fault) -> None:
        """Let the next requests for users go wrong, one fault each. The balance endpoint is not touched.

        Args:
            faults: such as ``Fault.FORBIDDEN``, which stays an error, or ``Fault.ERROR``, which the package repeats.
        """
        self._faults.coming.extend(faults)

    def revoke(self, email: str) -> None:
        """Let a user's key stop working.

        Args:
            email: the internal one.

        Raises:
            KeyError: when there is no such user.
        """
        self._accounts.revoke(email)


@contextlib.contextmanager
def local_openfunnel(directory: Path) -> Iterator[LocalOpenFunnel]:
    """Serve an OpenFunnel without users until the context ends.

    Args:
        directory: where a ledger may lie; made when it is needed.
    """
    api_key = f"of_{secrets.token_urlsafe(24)}"
    accounts, faults = Accounts([Account(_USER_ID, api_key)]), _Next()
    with serve(accounts, faults=faults) as base_url:
        yield LocalOpenFunnel(base_url, directory, accounts, faults, api_key)
