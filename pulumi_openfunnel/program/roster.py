"""Rosters: hundreds or thousands of users as one declaration, over a fixed number of shards."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import pulumi

from .. import schema
from ..schema import SHARDS, shard_of
from . import inputs
from .claims import Claim, Holder, Program, destination, parent_of
from .failing import fail
from .member import RosterUser
from .opaque import Opaque, merged, together, unknown
from .shards import Members, Shard, by_shard
from .user import refuse_import
from .verdict import verdict

Emails = Mapping[str, pulumi.Input[str]] | Mapping[int, pulumi.Input[str]] | Iterable[pulumi.Input[str]]
"""Addresses by an id of the program's own, or addresses alone."""


class ProvisionedUsers(pulumi.ComponentResource):
    """Many API-only OpenFunnel users, for those who hand out keys as one document or by other means.

    A member is who its id says: with a mapping, ``team["cust-17"]``. With an iterable the address is the id, in any
    spelling. Adding one asks for that user alone; taking one away forgets its key, with a warning that the user lives on.
    Users that fail do not lose those that succeed: the state keeps the latter, what reads their keys is created, then the
    update fails, and the next one tries the rest alone.

    Args:
        name: the roster's name in the program.
        emails: the end users' addresses: a mapping from an id of your own (text or an integer), or any iterable. Order and
            duplicates do not matter. Addresses, or all of it, may be outputs.
        prefixes: by id, the whole local part of the internal email.
        existing_api_keys: by id, the key of a user that exists already; see ``ProvisionedUser``.
        aliases: by id, the id that the same member had before. Not needed where address and internal email stay.
        email_mapping: ``"prefix"`` or ``"subaddress"``, for all; see ``ProvisionedUser``.
        orchestrator: the name of one of ``openfunnel:orchestrators``, for all.
        max_removals: so many users one update may remove; without it 10, or a tenth of the roster if that is more.
        opts: the usual resource options. With ``protect`` nobody is removed.

    Raises:
        pulumi.RunError: when addresses cannot be used, naming them; the update fails with one, too, when another
            declaration of the program stands for one of the users, or when users failed.
    """

    def __init__(
        self,
        name: str,
        *,
        emails: pulumi.Input[Emails],
        prefixes: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        existing_api_keys: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        aliases: Mapping[str, str] | None = None,
        email_mapping: pulumi.Input[str] | None = None,
        orchestrator: pulumi.Input[str] | None = None,
        max_removals: int | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse_import("ProvisionedUsers", name, opts)
        super().__init__("openfunnel:index:ProvisionedUsers", name, None, opts)
        self._name = name
        self._program = Program.current()
        self._program.warn_of_plain_key()
        self._given = inputs.Given(name, emails)
        self._made_of: dict[str, Any] = {
            "prefixes": inputs.document(prefixes),
            "email_mapping": email_mapping,
            "orchestrator": orchestrator,
        }
        self._secret = inputs.secrecy(opts, [*self._given.outputs, self._made_of["prefixes"]])
        members = self._members(opts, aliases, max_removals)
        self._placed: pulumi.Output[Opaque] = members.placed.apply(partial(self._claimed, opts))
        self._shards = self._split(opts, existing_api_keys, orchestrator)
        self._verdict: pulumi.Output[None] = pulumi.Output.from_input(self._judge())
        self.register_outputs({})

    @cached_property
    def users(self) -> pulumi.Output[dict[str, dict[str, str]]]:
        """By id: ``id``, ``email``, ``internal_email``, ``key_fingerprint``, ``key_status``."""
        return self._by_id("opened_users")

    @cached_property
    def api_keys(self) -> pulumi.Output[dict[str, str]]:
        """By id, the user's key; a secret."""
        return pulumi.Output.secret(self._by_id("opened_keys"))

    @cached_property
    def failed(self) -> pulumi.Output[dict[str, str]]:
        """By id, why the user is not there."""
        return self._by_id("opened_failed")

    def __getitem__(self, key: str | int) -> RosterUser:
        """One user, with the outputs of a ``ProvisionedUser``.

        Raises:
            KeyError: when the roster's ids are known and this is none of them, with those that are near.
        """
        id_, ids = self._given.id_of(key), self._given.ids
        if ids is not None and id_ not in ids:
            raise KeyError(inputs.missing(self._name, id_, ids))
        return RosterUser(id_, partial(self._read, id_))

    def __len__(self) -> int:
        """How many members there are; a TypeError where addresses are outputs."""
        return len(self._given.known_ids)

    def __iter__(self) -> Iterator[str]:
        """The ids; a TypeError where addresses are outputs."""
        return iter(self._given.known_ids)

    def __contains__(self, key: object) -> bool:
        """Whether there is such a member; a TypeError where addresses are outputs."""
        return self._given.id_of(key) in self._given.known_ids

    def __bool__(self) -> bool:
        """A roster is one, with or without members."""
        return True

    def _members(
        self, opts: pulumi.ResourceOptions | None, aliases: Mapping[str, str] | None, max_removals: int | None
    ) -> Members:
        """The resource that checks every address and places every member."""
        opts = opts or pulumi.ResourceOptions()
        given = self._given
        props = {
            "roster": self._name,
            "emails": given.document,
            "late_emails": given.late or None,
            "aliases": schema.dump({str(new): str(old) for new, old in (aliases or {}).items()} or None),
            "max_removals": max_removals,
            "protected": True if getattr(self, "_protect", opts.protect) else None,
            "secret": self._secret,
        }
        ignored = [name for name in opts.ignore_changes or [] if name in schema.MEMBERS_INPUTS]
        return Members(
            f"{self._name}-members",
            self._made_of | props,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=opts.depends_on,
                ignore_changes=[*ignored, "late_emails"] if "emails" in ignored else ignored or None,
            ),
        )

    def _split(self, opts: pulumi.ResourceOptions | None, keys: Any, orchestrator: Any) -> list[Shard]:
        """The shards, each with its members."""
        opts = opts or pulumi.ResourceOptions()
        members = self._placed.apply(lambda placed: Opaque(by_shard(placed.value)))
        adopted = None if keys is None else self._adopted(keys)
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=opts.depends_on,
            additional_secret_outputs=["api_keys", "existing_api_keys"],
        )
        shards = []
        for number in range(SHARDS):
            props = {"roster": self._name, "members": members.apply(partial(_of_shard, number))}
            if adopted is not None:
                keys_of_shard: pulumi.Output[Any] = adopted.apply(partial(_keys_of_shard, number))
                props["existing_api_keys"] = pulumi.Output.secret(keys_of_shard)
            if orchestrator is not None:
                props["orchestrator"] = orchestrator
            if self._secret is not None:
                props["secret"] = self._secret
            shards.append(Shard(f"{self._name}-{number:02}", props, options))
        return shards

    def _adopted(self, keys: Any) -> pulumi.Output[Opaque]:
        """By shard, the keys to adopt; secret, when the program gave them so."""

        async def split(found: Opaque) -> Opaque:
            given, placed = found.value
            adopted: dict[int, dict[str, str]] = {}
            hidden = await self._hides_ids()
            for id_, key in inputs.by_id(self._given, "existing_api_keys", given, placed.value, hidden=hidden).items():
                adopted.setdefault(placed.value[id_]["shard"], {})[id_] = key
            return Opaque(adopted)

        return together([pulumi.Output.from_input(keys), self._placed]).apply(split)

    async def _claimed(self, opts: pulumi.ResourceOptions | None, document: Any) -> Opaque:
        """By id, each member, when no other declaration stands for any of the users."""
        orchestrator = await pulumi.Output.from_input(self._made_of["orchestrator"]).future()
        at, parent = destination(orchestrator), await parent_of(opts)
        placed = schema.load(document)
        if placed is None:  # as under mocks, where nothing is checked
            placed = await self._computed(at[1])
        secret = await self._is_secret()
        for id_, entry in placed.items():
            holder = Holder(parent, self._name, id_ if not secret or self._given.by_id else None, id_)
            claim = Claim(holder, entry["email"], weakref.ref(self))
            self._program.claim(at, entry["internal_email"], claim, secret=secret)
        return Opaque(placed)

    async def _is_secret(self) -> bool:
        """Whether no message may show an address."""
        return bool(await self._secret if isinstance(self._secret, asyncio.Future) else self._secret)

    async def _hides_ids(self) -> bool:
        """Whether no message may show an id, because it may be an address."""
        return not self._given.by_id and await self._is_secret()

    async def _computed(self, domain: str) -> dict[str, dict[str, Any]]:
        """What check would compute, without a check."""
        from ..emails import spelled
        from .inputs import Given

        whole = self._given.whole
        given = self._given if whole is None else Given(self._name, await whole.future() or [])
        late = {key: await pulumi.Output.from_input(email).future() for key, email in given.late.items()}
        document = schema.load(await pulumi.Output.from_input(given.document).future())
        entries = document.items() if isinstance(document, dict) else ((str(n), e) for n, e in enumerate(document))
        prefixes, mapping = [
            await pulumi.Output.from_input(self._made_of[name]).future() for name in ("prefixes", "email_mapping")
        ]
        placed = {}
        for key, plain in entries:
            email = str(plain if plain is not None else late.get(key)).strip().lower()
            id_ = key if given.by_id else email
            user = spelled(email, domain, prefix=(schema.load(prefixes) or {}).get(id_), email_mapping=mapping)
            placed[id_] = {"email": email, "internal_email": user, "shard": shard_of(id_)}
        return placed

    def _of_shards(self, name: str) -> pulumi.Output[Opaque]:
        """An output of every shard."""
        return together([getattr(shard, name) for shard in self._shards])

    def _by_id(self, name: str) -> pulumi.Output[dict[str, Any]]:
        return self._of_shards(name).apply(lambda parts: self._given.keyed(merged(parts)))

    def _read(self, id_: str, name: str, read: Callable[[Any], Any]) -> pulumi.Output[Any]:
        """What is read of one member's part of its shard's values."""
        return self._placed.apply(partial(self._read_shard, id_, name, read))

    def _read_shard(self, id_: str, name: str, read: Callable[[Any], Any], placed: Opaque) -> Any:
        id_ = self._given.found(id_, placed.value)
        entry = placed.value.get(id_)
        if entry is not None:
            shard = self._shards[entry["shard"]]
            values: pulumi.Output[Opaque] = getattr(shard, name)
            return values.apply(partial(self._read_member, id_, shard, read))
        late: pulumi.Output[bool] = pulumi.Output.from_input(self._given.is_late())
        return late.apply(lambda late: unknown() if late else self._not_placed(id_, placed))

    def _not_placed(self, id_: str, placed: Opaque) -> Any:
        return self._is_missing(id_, placed) if self._given.ids is None else self._left_out(id_)

    async def _is_missing(self, id_: str, placed: Opaque) -> None:
        """Fail at the end, with what is near."""
        near = () if await self._hides_ids() else placed.value
        line = f"{inputs.missing(self._name, id_, near)}."
        if line not in self._program.failures:
            self._program.failures.append(line)
        await fail(self._program)

    def _read_member(self, id_: str, shard: Shard, read: Callable[[Any], Any], values: Opaque) -> Any:
        if values.value is None:
            return None  # under mocks
        if id_ in values.value:
            return read(values.value[id_])
        tried: pulumi.Output[bool] = pulumi.Output.from_input(shard.failed_now(self._program.engine, id_))
        return tried.apply(lambda failed: fail(self._program) if failed else self._left_out(id_))

    def _left_out(self, id_: str) -> Any:
        if self._program.tells(f"users of {self._name} left out"):
            pulumi.log.warn(
                f"{self._name}: {id_} is not in the state, and this update leaves its part of the roster out: resources "
                "that read it, or others like it, get no value. Run pulumi up without --target."
            )
        return unknown()

    async def _judge(self) -> None:
        """At the end, sum up what this very update did; fail when users failed in it."""
        tried = [await shard.tried_now(self._program.engine) for shard in self._shards]
        failed = {id_: reason for shard in tried for id_, reason in shard.failed.items()}
        done = sum(shard.users for shard in tried)
        if failed:
            users = await self.users.future()  # None when a new shard was left out of this update
            self._program.failures += verdict(self._name, users, failed, hidden=await self._hides_ids())
            await fail(self._program)
        if done:
            some = f"{done} {'users' if done > 1 else 'user'} done, none failed"
            pulumi.log.info(f"{self._name}: {some}, in {self._program.seconds:.1f} s.")


def _of_shard(number: int, members: Opaque) -> str | None:
    return schema.dump(members.value.get(number, {}))


def _keys_of_shard(number: int, keys: Opaque) -> str | None:
    return schema.dump(keys.value.get(number))
