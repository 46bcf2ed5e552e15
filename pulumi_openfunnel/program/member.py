"""One user of a roster, as a program reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi

Read = Callable[[str, Callable[[Any], Any]], pulumi.Output[Any]]
"""Reads one of the shard's documents, by its name, for one member."""


class RosterUser:
    """One user of a roster, with the outputs of a ``ProvisionedUser``.

    What is read of a user that failed fails at the end of the update, as the roster does.

    Attributes:
        member: the member's id: the program's own, or the address of a list.
    """

    def __init__(self, member: str, read: Read) -> None:
        self.member = member
        self._read = read

    def __repr__(self) -> str:
        return f"RosterUser({self.member!r})"

    @property
    def email(self) -> pulumi.Output[str]:
        """The end user's address, in lower case."""
        return self._of_user("email")

    @property
    def internal_email(self) -> pulumi.Output[str]:
        """The user's address at the orchestrator's domain."""
        return self._of_user("internal_email")

    @property
    def key_fingerprint(self) -> pulumi.Output[str]:
        """The first 16 hex digits of the key's SHA-256."""
        return self._of_user("key_fingerprint")

    @property
    def key_status(self) -> pulumi.Output[str]:
        """``"active"`` or ``"revoked"``, as last seen."""
        return self._of_user("key_status")

    @property
    def api_key(self) -> pulumi.Output[str]:
        """The user's key, a secret."""
        return pulumi.Output.secret(self._read("opened_keys", lambda key: key))

    def _of_user(self, name: str) -> pulumi.Output[str]:
        return self._read("opened_users", lambda user: user[name])
