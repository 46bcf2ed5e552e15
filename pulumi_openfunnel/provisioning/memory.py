"""What one operation has seen of its stack: which end user a user and a key stand for. It refuses what a ledger would."""

from __future__ import annotations

import json
import threading
from types import ModuleType

from .keys import EndUser


class Memory:
    """Users and keys of the stack, as the engine shows them verb by verb. Safe to share between threads.

    The engine shows a resource when its turn comes, so a holder may be shown only after somebody else was given its user:
    then it is the holder's verb that fails. What leaves the stack without a verb before its delete is not seen here.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._holders: dict[str, set[str]] = {}  # by internal email, the addresses that its end user had and has
        self._declared: dict[str, str] = {}  # by internal email, whom the program declares it for
        self._given: dict[str, str] = {}  # by internal email, whom this operation created or adopted it for
        self._keys: dict[str, EndUser] = {}  # by fingerprint
        self._adopting: dict[str, EndUser] = {}  # by fingerprint, as the program declares it
        self._unread: list[
            tuple[str, bool]
        ] = []  # documents of users, opened when somebody asks; are they declared, too

    def stood_for(self, user: EndUser, fingerprint: str | None = None) -> None:
        """A user that the stack held when the operation began.

        Raises:
            AnotherEndUser: when this operation gave the user to another end user before it was shown.
        """
        with self._lock:
            given = self._given.get(user.internal_email)
            if given is not None and given != user.email and given not in self._holders.get(user.internal_email, ()):
                raise _refusals().given_away(user, given)
            self._note(user, fingerprint)

    def remember(self, users: str) -> None:
        """A document of users, by id, that the stack held: looked into when somebody asks.

        Raises:
            AnotherEndUser: see :meth:`stood_for`.
        """
        with self._lock:
            self._unread.append((users, False))
            if self._given:  # one of them may have been given to somebody else before this was shown
                for user, fingerprint in self._read():
                    self.stood_for(user, fingerprint)

    def keeps(self, members: str) -> bool:
        """A document of members that the stack held and that the program declares as they were: looked into as above.

        Returns:
            False when somebody is declared or was given a user already, so that each member has to be declared by itself.
        """
        with self._lock:
            if self._declared or self._given:
                return False
            self._unread.append((members, True))
            return True

    def moves(self, internal_email: str, old: str, new: str) -> None:
        """A user that stays with its end user, under another address."""
        with self._lock:
            if old in self._holders.setdefault(internal_email, {old}):
                self._holders[internal_email].add(new)

    def declare(self, user: EndUser) -> None:
        """A user that the program declares.

        Raises:
            AnotherEndUser: when it stands for another end user.
        """
        with self._lock:
            self.check(user)
            self._declared[user.internal_email] = user.email

    def declare_key(self, user: EndUser, fingerprint: str) -> None:
        """A key that the program brings for a user.

        Raises:
            AnotherEndUser: when it brings the same for another end user, or another one holds it.
        """
        with self._lock:
            other = self._adopting.setdefault(fingerprint, user)
            if not self._same(other, user):
                raise _refusals().key_for_two(user, other)
            self.check_key(user, fingerprint)

    def check(self, user: EndUser) -> None:
        """Whether a user may be given to its end user.

        Raises:
            AnotherEndUser: when it stands for another one.
        """
        with self._lock:
            for holder, fingerprint in self._read():
                self._note(holder, fingerprint)
            holders = self._holders.get(user.internal_email, set())
            if holders and user.email not in holders:
                raise _refusals().held_by_another(user, min(holders))
            declared = self._declared.get(user.internal_email, user.email)
            if declared != user.email and declared not in holders:
                raise _refusals().declared_twice(user, declared)

    def check_key(self, user: EndUser, fingerprint: str) -> None:
        """Whether a key may be given to a user.

        Raises:
            AnotherEndUser: when another end user holds it, or its user.
        """
        with self._lock:
            self.check(user)
            holder = self._keys.get(fingerprint)
            if holder is not None and not self._same(holder, user):
                raise _refusals().key_of_another(user, holder, fingerprint)

    def give(self, user: EndUser, fingerprint: str) -> None:
        """A key that this operation got for a user.

        Raises:
            AnotherEndUser: when it may not be given.
        """
        with self._lock:
            self.check_key(user, fingerprint)
            self._given[user.internal_email] = user.email
            self._keys[fingerprint] = user

    def given_to(self, internal_email: str) -> str | None:
        """Whom this operation gave a user to."""
        return self._given.get(internal_email)

    def _same(self, one: EndUser, other: EndUser) -> bool:
        """Whether two are the same end user's, at the same internal email or with the same address."""
        if one.email == other.email:
            return True
        holders = self._holders.get(one.internal_email, set())
        return one.internal_email == other.internal_email and {one.email, other.email} <= holders

    def _note(self, user: EndUser, fingerprint: str | None) -> None:
        self._holders.setdefault(user.internal_email, {user.email})
        if fingerprint is not None:
            self._keys.setdefault(fingerprint, user)

    def _read(self) -> list[tuple[EndUser, str | None]]:
        """What the documents hold that nobody looked into yet."""
        unread, self._unread = self._unread, []
        users = [(user, declared) for document, declared in unread for user in json.loads(document).values()]
        self._declared |= {user["internal_email"]: user["email"] for user, declared in users if declared}
        return [(EndUser(user["email"], user["internal_email"]), user.get("key_fingerprint")) for user, _ in users]


def _refusals() -> ModuleType:
    """The sentences of refusals, which most operations need none of."""
    from . import refusals

    return refusals
