"""What a Pulumi program declares."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import Resource

from ..providers import ProvisionedUserProvider
from ..schema import ADOPTED, ISSUED, SHOWN_AS, USER_INPUTS
from .claims import Claim, Holder, Program, destination, is_mocked, parent_of


class ProvisionedUser(Resource, module="openfunnel", name="ProvisionedUser"):
    """An API-only OpenFunnel user, created for one of an orchestrator's end users.

    The orchestrator and its provisioner key come from the stack's config (``openfunnel:userId``,
    ``openfunnel:apiKey``) or the environment (``OPENFUNNEL_USER_ID``, ``OPENFUNNEL_API_KEY``). OpenFunnel's
    API can neither change nor delete a user: taking the resource away leaves the user and its key alive.

    Args:
        name: the resource's name in the program.
        email: the end user's address. Case and surrounding white space do not matter.
        prefix: the whole local part of the internal email, instead of the mapped one.
        email_mapping: ``"prefix"``, the default (alice@alice-startup.com becomes alice@orchestrator.com), or
            ``"subaddress"`` (alice+alice-startup.com@orchestrator.com, RFC 5233), which cannot collide across
            end users' domains.
        orchestrator: the name of one of ``openfunnel:orchestrators`` in the stack's config, whose credentials are
            used; the stack's default ones when left out.
        existing_api_key: the key of a user that exists already. Nothing is created: the key is tried and stored.
            Leaving the argument away later changes nothing; another key replaces the stored one.
        opts: the usual resource options; ``import_`` and ``id`` are refused, because a user cannot be read.

    Raises:
        pulumi.RunError: for an option that cannot work. The update fails with one, too, when another resource of the
            program maps to the same internal email.
    """

    if TYPE_CHECKING:  # the SDK would evaluate annotations anew for each resource
        email: pulumi.Output[str]
        """The end user's address, in lower case."""
        prefix: pulumi.Output[str | None]
        """As given."""
        email_mapping: pulumi.Output[str | None]
        """As given."""
        orchestrator: pulumi.Output[str | None]
        """As given."""
        internal_email: pulumi.Output[str]
        """The user's address at the orchestrator's domain; known at preview. Another one is another user."""
        api_key: pulumi.Output[str]
        """The user's key, a secret."""
        key_fingerprint: pulumi.Output[str]
        """The first 16 hex digits of the key's SHA-256: for audits, and as a restart trigger for what uses the key."""
        key_status: pulumi.Output[str]
        """``"active"`` or ``"revoked"``, as last seen."""

    def __init__(
        self,
        name: str,
        *,
        email: pulumi.Input[str],
        prefix: pulumi.Input[str] | None = None,
        email_mapping: pulumi.Input[str] | None = None,
        orchestrator: pulumi.Input[str] | None = None,
        existing_api_key: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse_import("ProvisionedUser", name, opts)
        program = Program.current()
        program.warn_of_plain_key()
        given = {"prefix": prefix, "email_mapping": email_mapping, "orchestrator": orchestrator}
        # Only what was given or is issued: the SDK waits for each output of each resource, again and again.
        props: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        props |= dict.fromkeys(("internal_email", *ISSUED))
        # The claim is part of the input: what is not claimed is never registered, so never created.
        made_of = (email, *given.values())
        self._stands_for = _StandsFor(program, self, name, opts, [email, prefix])
        if all(value is None or isinstance(value, str) for value in made_of):
            props["email"] = asyncio.ensure_future(self._stands_for.claimed(made_of))
        else:
            props["email"] = pulumi.Output.all(*made_of).apply(self._stands_for.claimed)
            props[SHOWN_AS] = asyncio.ensure_future(self._stands_for.shown_as())
        if existing_api_key is not None:
            props[ADOPTED] = pulumi.Output.secret(existing_api_key)
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_key", ADOPTED])
        super().__init__(ProvisionedUserProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
        if is_mocked():  # the engine applies additional_secret_outputs; mocks do not
            self.api_key = pulumi.Output.secret(self.api_key)
        else:
            self._compared: pulumi.Output[None] = self.internal_email.apply(self._stands_for.came_back)

    def __getattr__(self, name: str) -> Any:
        """An argument that was not given."""
        if name in USER_INPUTS:
            return pulumi.Output.from_input(None)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class _StandsFor:
    """Which user a resource stands for, by what the program gives and by what came back.

    Args:
        program: the program that runs.
        user: the resource.
        name: its name.
        opts: its options, of which the parent matters.
        given: what the internal email is made of.
    """

    def __init__(
        self, program: Program, user: ProvisionedUser, name: str, opts: pulumi.ResourceOptions | None, given: list[Any]
    ) -> None:
        self._program = program
        self._owner = weakref.ref(user)
        self._name = name
        self._opts = opts
        self._given = given
        self._claim: tuple[str, Claim] | None = None  # at which base URL

    async def claimed(self, made_of: Sequence[Any]) -> Any:
        """The email that was given, when no other declaration stands for the same user.

        Args:
            made_of: email, prefix, email mapping and orchestrator.
        """
        from .. import emails

        email, prefix, email_mapping, orchestrator = made_of
        if email is None or not all(isinstance(given, str) for given in made_of if given is not None):
            return email  # refused in check
        at = destination(orchestrator)
        internal_email = emails.spelled(email, at[1], prefix=prefix, email_mapping=email_mapping)
        claim = Claim(Holder(await parent_of(self._opts), self._name), email.strip().lower(), self._owner)
        self._claim = at[0], claim
        self._program.claim(at, internal_email, claim, secret=await self.shown_as() is not None)
        return email

    async def shown_as(self) -> str | None:
        """The resource's name, when what was given is a secret: messages then call the user by it."""
        outputs = [value for value in self._given if isinstance(value, pulumi.Output)]
        return self._name if any([await output.is_secret() for output in outputs]) else None

    async def came_back(self, internal_email: str) -> None:
        """Compare the user that the resource turned out to stand for."""
        if self._claim is not None:
            at, claim = self._claim
            self._program.came_back(claim, at, internal_email, secret=await self.shown_as() is not None)


def refuse_import(kind: str, name: str, opts: pulumi.ResourceOptions | None) -> None:
    """Raise what ``import_`` and ``id`` would fail with."""
    if opts is not None and (opts.import_ is not None or opts.id is not None):
        raise pulumi.RunError(
            f'{kind} "{name}": OpenFunnel cannot read a user, so neither import_ nor id can bring one in. '
            "Pass its key as existing_api_key instead."
        )
