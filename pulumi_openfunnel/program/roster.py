"""Rosters: hundreds or thousands of users as one declaration, over a fixed number of shards."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from .. import emails as mapping
from .. import schema as documents
from .. import wording
from ..dynamic.shard import ShardProvider
from ..errors import InvalidInput
from . import failing as late
from . import inputs as members
from .claims import Holder, Program, destination, parent_of
from .opaque import Opaque, merged, opened, together, unknown
from .user import refuse_import

SHARDS = 32
"""Part of every URN, so it never changes once released; what speaks for more and for fewer: docs/performance.md."""

_REASONS = 20  # lines of a verdict

_ByShard = dict[int, tuple[list[str], dict[str, str]]]
"""By shard, its addresses, and the prefixes of some of them."""


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
        self._emails = members.known(name, emails)
        given = pulumi.Output.from_input(emails if self._emails is None else None)
        made_of = together([given, *map(pulumi.Output.from_input, (prefixes, email_mapping, orchestrator))])
        by_shard: pulumi.Output[Opaque] = made_of.apply(lambda found: self._claimed(opts, *found.value))
        self._by_shard = by_shard
        adopted = self._adopted(existing_api_keys, by_shard)
        numbers = range(SHARDS) if self._emails is None else sorted({shard_of(email) for email in self._emails})
        self._shards = {
            number: _Shard(
                f"{name}-{number:02}",
                {
                    "roster": name,
                    "emails": by_shard.apply(partial(_emails_of, number)),
                    "prefixes": None if prefixes is None else by_shard.apply(partial(_prefixes_of, number)),
                    "existing_api_keys": _secret(adopted, partial(_keys_of, number)),
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
            found = str(mapping.parse(email))
        except InvalidInput as error:
            raise KeyError(str(error)) from None
        if self._emails is None:
            known = self._by_shard.apply(partial(self._look_for, found))
        elif found in self._emails:
            known = None
        else:
            raise KeyError(members.missing(self._name, found, self._emails))
        return RosterUser(found, self._name, self._program, self._shards[shard_of(found)], known)

    def _look_for(self, email: str, by_shard: Opaque) -> Any:
        """Fail, at the end, when addresses that are known only now do not have this one."""
        if email in by_shard.value[shard_of(email)][0]:
            return None
        emails = [each for shard in by_shard.value.values() for each in shard[0]]
        line = f"{members.missing(self._name, email, emails)}."
        if line not in self._program.failures:
            self._program.failures.append(line)
        return late.fail(self._program.failures)

    async def _claimed(
        self, opts: pulumi.ResourceOptions | None, given: Any, prefixes: Any, email_mapping: Any, orchestrator: Any
    ) -> Opaque:
        """By shard, its addresses and prefixes, when no other declaration stands for any of the users."""
        emails = list(self._emails) if self._emails is not None else members.checked(self._name, given)
        if isinstance(prefixes, Mapping):
            prefixes = {email: prefix for email, prefix in prefixes.items() if prefix is not None}
        prefixes = members.respelled(self._name, "prefixes", prefixes, emails)
        at, parent = destination(orchestrator), await parent_of(opts)
        by_shard: _ByShard = {number: ([], {}) for number in range(SHARDS)}
        for email in emails:
            prefix = prefixes.get(email)
            internal_email = mapping.spelled(email, at[1], prefix=prefix, email_mapping=email_mapping)
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
            for email, key in members.respelled(self._name, "existing_api_keys", given, emails).items():
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
            self._program.failures += _verdict(self._name, users, failed)
            await late.fail(self._program.failures)
        if done:
            took = time.time() - self._program.started
            pulumi.log.info(
                f"{self._name}: {done} {'users' if done > 1 else 'user'} done, none failed, in {took:.1f} s."
            )


class _Shard(Resource, module="openfunnel", name="ProvisionedUsersShard"):
    """Some users, by email: documents (see ``documents``); what mocks give may be maps."""

    users: pulumi.Output[Any]
    api_keys: pulumi.Output[Any]
    failed: pulumi.Output[Any]
    tried: pulumi.Output[Any]

    def __init__(self, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = dict.fromkeys(("users", "api_keys", "failed", "tried")) | inputs
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_keys", "existing_api_keys"])
        super().__init__(ShardProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))

    @cached_property
    def opened_users(self) -> pulumi.Output[Opaque]:
        return self.users.apply(opened)

    @cached_property
    def opened_keys(self) -> pulumi.Output[Opaque]:
        return self.api_keys.apply(opened)

    @cached_property
    def opened_failed(self) -> pulumi.Output[Opaque]:
        return self.failed.apply(opened)

    @cached_property
    def tried_now(self) -> pulumi.Output[Opaque]:
        """What was tried in this very update: what the state tells of an earlier one is not in the way of this one."""
        started = Program.current().started

        def now(document: Any) -> pulumi.Input[Opaque]:
            tried = documents.load(document)
            if not isinstance(tried, dict) or tried["at"] < started:  # not known: previewed, or left out of this update
                return Opaque(_Tried())
            return self.failed.apply(lambda failed: Opaque(_Tried(tried["users"], documents.load(failed))))

        return self.tried.apply(now, run_with_unknowns=True)


@dataclass(frozen=True)
class _Tried:
    """How many users a shard's verb tried to get, and by email why some are not there."""

    users: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RosterUser:
    """One user of a roster. What is read of a user that failed fails at the end of the update, as the roster does."""

    email: str
    """The end user's address, normalized."""
    _roster: str
    _program: Program = field(repr=False, compare=False)
    _shard: _Shard = field(repr=False)
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
            return late.fail(self._program.failures)
        if self._program.tells(f"users of {self._roster} left out"):
            pulumi.log.warn(
                f"{self._roster}: {self.email} is not in the state, and this update leaves its part of the roster out: what "
                "reads its outputs, or those of others like it, gets no value. Run pulumi up without --target."
            )
        return unknown()


def shard_of(email: str) -> int:
    """The number of the shard that holds a normalized address."""
    return int.from_bytes(hashlib.sha256(email.encode()).digest()[:4], "big") % SHARDS


def _emails_of(number: int, by_shard: Opaque) -> str | None:
    return documents.dump(by_shard.value[number][0])


def _prefixes_of(number: int, by_shard: Opaque) -> str | None:
    return documents.dump(by_shard.value[number][1] or None)


def _secret(by_shard: pulumi.Output[Opaque] | None, read: Callable[[Opaque], str | None]) -> Any:
    return None if by_shard is None else pulumi.Output.secret(by_shard.apply(read))


def _keys_of(number: int, by_shard: Opaque) -> str | None:
    return documents.dump(by_shard.value.get(number))


def _verdict(name: str, users: Collection[str] | None, failed: Mapping[str, str]) -> list[str]:
    """What became of a roster: a line for each reason, those that befell most users first.

    Args:
        name: the roster's.
        users: those in the state, also under an internal email or with a key that they were to change for another; None
            when they are not all known.
        failed: by email, why.
    """
    by_reason: dict[str, list[str]] = {}
    for email, reason in sorted(failed.items()):
        by_reason.setdefault(reason.replace(email, "EMAIL"), []).append(email)
    state = "no user is in the state. "
    if users is None:
        state = ""
    elif users:
        state = f"{len(users)} of {len(failed.keys() | set(users))} users are in the state. "
    these = f"these {len(failed)} are" if len(failed) > 1 else "this one is"
    lines = [f"{name}: {state}{len(failed)} failed. Run pulumi up: only {these} tried."]
    groups = sorted(by_reason.items(), key=lambda group: len(group[1]), reverse=True)
    for reason, emails in groups[:_REASONS]:
        told = failed[emails[0]] if len(emails) == 1 else reason
        lines.append(f"{name}: {len(emails)} failed: {wording.names(emails)}: {told}")
    if more := groups[_REASONS:]:
        users_of_more = sum(len(emails) for _, emails in more)
        lines.append(f"{name}: {users_of_more} failed for {len(more)} more reasons, which the output failed tells.")
    return lines
