"""Rosters: hundreds or thousands of users as one declaration, over a fixed number of shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pulumi

from .. import emails as addresses
from ..errors import InvalidInput
from . import inputs
from .claims import Holder, Program, destination, parent_of
from .failing import fail
from .opaque import Opaque, merged, together, unknown
from .shards import SHARDS, ByShard, Shard, emails_of, keys_of, prefixes_of, secret, shard_of
from .user import refuse_import
from .verdict import verdict


class ProvisionedUsers(pulumi.ComponentResource):
    """Many API-only OpenFunnel users, for those who hand out keys as one document or by other means.

    Order and duplicates of the addresses do not matter. Adding one asks for that user alone; taking one away forgets
    its key, with a warning that the user lives on. Users that fail do not lose those that succeed: the state keeps the
    latter, what reads their keys is created, then the update fails, and the next one tries the rest alone.

    Args:
        name: the roster's name in the program.
        emails: the end users' addresses.
        prefixes: for single addresses, the whole local part of the internal email.
        existing_api_keys: for single addresses, the key of a user that exists already; see ``ProvisionedUser``.
        email_mapping: ``"prefix"`` or ``"subaddress"``, for all; see ``ProvisionedUser``.
        orchestrator: the name of one of ``openfunnel:orchestrators``, for all.
        opts: the usual resource options.

    Raises:
        pulumi.RunError: when addresses cannot be used, naming them; the update fails with one, too, when another
            declaration of the program stands for one of the users, or when users failed.
    """

    def __init__(
        self,
        name: str,
        *,
        emails: pulumi.Input[Sequence[pulumi.Input[str]]],
        prefixes: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        existing_api_keys: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        email_mapping: pulumi.Input[str] | None = None,
        orchestrator: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse_import("ProvisionedUsers", name, opts)
        super().__init__("openfunnel:index:ProvisionedUsers", name, None, opts)
        self._name = name
        self._program = Program.current()
        self._program.warn_of_plain_key()
        self._emails = inputs.known(name, emails)
        given = pulumi.Output.from_input(emails if self._emails is None else None)
        made_of = together([given, *map(pulumi.Output.from_input, (prefixes, email_mapping, orchestrator))])
        by_shard: pulumi.Output[Opaque] = made_of.apply(lambda found: self._claimed(opts, *found.value))
        self._by_shard = by_shard
        adopted = self._adopted(existing_api_keys, by_shard)
        numbers = range(SHARDS) if self._emails is None else sorted({shard_of(email) for email in self._emails})
        self._shards = {
            number: Shard(
                f"{name}-{number:02}",
                {
                    "roster": name,
                    "emails": by_shard.apply(partial(emails_of, number)),
                    "prefixes": None if prefixes is None else by_shard.apply(partial(prefixes_of, number)),
                    "existing_api_keys": secret(adopted, partial(keys_of, number)),
                    "email_mapping": email_mapping,
                    "orchestrator": orchestrator,
                },
                pulumi.ResourceOptions(parent=self, depends_on=opts.depends_on if opts is not None else None),
            )
            for number in numbers
        }
        self._verdict: pulumi.Output[None] = self._of_shards("tried_now").apply(self._judge)
        self.register_outputs({})

    @cached_property
    def users(self) -> pulumi.Output[dict[str, dict[str, str]]]:
        """By email: ``id``, ``internal_email``, ``key_fingerprint``, ``key_status``."""
        return self._of_shards("opened_users").apply(merged)

    @cached_property
    def api_keys(self) -> pulumi.Output[dict[str, str]]:
        """By email, the user's key; a secret."""
        return pulumi.Output.secret(self._of_shards("opened_keys").apply(merged))

    @cached_property
    def failed(self) -> pulumi.Output[dict[str, str]]:
        """By email, why the user is not there."""
        return self._of_shards("opened_failed").apply(merged)

    def __getitem__(self, email: str) -> RosterUser:
        """One user, with the outputs of a ``ProvisionedUser``; case does not matter.

        Raises:
            KeyError: when the roster's addresses are known and this is none of them, with those that are near.
        """
        try:
            found = str(addresses.parse(email))
        except InvalidInput as error:
            raise KeyError(str(error)) from None
        if self._emails is None:
            known = self._by_shard.apply(partial(self._look_for, found))
        elif found in self._emails:
            known = None
        else:
            raise KeyError(inputs.missing(self._name, found, self._emails))
        return RosterUser(found, self._name, self._program, self._shards[shard_of(found)], known)

    def _look_for(self, email: str, by_shard: Opaque) -> Any:
        """Fail, at the end, when addresses that are known only now do not have this one."""
        if email in by_shard.value[shard_of(email)][0]:
            return None
        emails = [each for shard in by_shard.value.values() for each in shard[0]]
        line = f"{inputs.missing(self._name, email, emails)}."
        if line not in self._program.failures:
            self._program.failures.append(line)
        return fail(self._program)

    async def _claimed(
        self, opts: pulumi.ResourceOptions | None, given: Any, prefixes: Any, email_mapping: Any, orchestrator: Any
    ) -> Opaque:
        """By shard, its addresses and prefixes, when no other declaration stands for any of the users."""
        emails = list(self._emails) if self._emails is not None else inputs.checked(self._name, given)
        if isinstance(prefixes, Mapping):
            prefixes = {email: prefix for email, prefix in prefixes.items() if prefix is not None}
        prefixes = inputs.respelled(self._name, "prefixes", prefixes, emails)
        at, parent = destination(orchestrator), await parent_of(opts)
        by_shard: ByShard = {number: ([], {}) for number in range(SHARDS)}
        for email in emails:
            prefix = prefixes.get(email)
            internal_email = addresses.spelled(email, at[1], prefix=prefix, email_mapping=email_mapping)
            self._program.claim(at, internal_email, Holder(parent, self._name, email))
            shard = by_shard[shard_of(email)]
            shard[0].append(email)
            if prefix is not None:
                shard[1][email] = prefix
        return Opaque(by_shard)

    def _adopted(self, keys: Any, by_shard: pulumi.Output[Opaque]) -> pulumi.Output[Opaque] | None:
        """By shard, the keys to adopt; secret, when the program gave them so."""
        if keys is None:
            return None

        def split(found: Opaque) -> Opaque:
            given, parts = found.value
            emails = [email for shard in parts.value.values() for email in shard[0]]
            adopted: dict[int, dict[str, str]] = {}
            for email, key in inputs.respelled(self._name, "existing_api_keys", given, emails).items():
                adopted.setdefault(shard_of(email), {})[email] = key
            return Opaque(adopted)

        return together([pulumi.Output.from_input(keys), by_shard]).apply(split)

    def _of_shards(self, name: str) -> pulumi.Output[Opaque]:
        """An output of every shard."""
        return together([getattr(shard, name) for shard in self._shards.values()])

    async def _judge(self, found: Opaque) -> None:
        """At the end, sum up what this very update did; fail when users failed in it."""
        tried = [shard.value for shard in found.value]
        failed = {email: reason for shard in tried for email, reason in shard.failed.items()}
        done = sum(shard.users for shard in tried)
        if failed:
            users = await self.users.future()  # None when a new shard was left out of this update
            self._program.failures += verdict(self._name, users, failed)
            await fail(self._program)
        if done:
            took = time.time() - self._program.started
            pulumi.log.info(
                f"{self._name}: {done} {'users' if done > 1 else 'user'} done, none failed, in {took:.1f} s."
            )


@dataclass(frozen=True)
class RosterUser:
    """One user of a roster. What is read of a user that failed fails at the end of the update, as the roster does."""

    email: str
    """The end user's address, normalized."""
    _roster: str
    _program: Program = field(repr=False, compare=False)
    _shard: Shard = field(repr=False)
    _known: pulumi.Output[Any] | None = field(repr=False)  # fails when the roster does not have the address after all

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
        return pulumi.Output.secret(self._of(self._shard.opened_keys, lambda key: key))

    def _of_user(self, name: str) -> pulumi.Output[str]:
        return self._of(self._shard.opened_users, lambda user: user[name])

    def _of(self, by_email: pulumi.Output[Opaque], read: Callable[[Any], str]) -> pulumi.Output[str]:
        """What is read of this user's part of the shard's values."""
        waits_for = [by_email, self._shard.tried_now]
        if self._known is not None:
            waits_for.append(self._known)
        return together(waits_for).apply(partial(self._read, read))

    def _read(self, read: Callable[[Any], str], found: Opaque) -> Any:
        by_email, tried, *_ = found.value
        if by_email.value is None:
            return None  # under mocks
        if self.email in by_email.value:
            return read(by_email.value[self.email])
        if self.email in tried.value.failed:
            return fail(self._program)
        if self._program.tells(f"users of {self._roster} left out"):
            pulumi.log.warn(
                f"{self._roster}: {self.email} is not in the state, and this update leaves its part of the roster out: what "
                "reads its outputs, or those of others like it, gets no value. Run pulumi up without --target."
            )
        return unknown()
