"""What a Pulumi program declares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import pulumi
from pulumi.dynamic import Resource
from pulumi.runtime.settings import get_monitor

from .provider import ADOPTED, INPUTS, ISSUED, ProvisionedUserProvider

# The settings that hold provisioner keys, and how each is made a secret.
_KEYS = {
    "openfunnel:apiKey": "pulumi config set --secret openfunnel:apiKey",
    "openfunnel:orchestrators": "pulumi config set --path --secret 'openfunnel:orchestrators.NAME.apiKey'",
}


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
        _refuse_import(name, opts)
        program = _Program.current()
        program.warn_of_plain_key()
        props: dict[str, Any] = dict.fromkeys(INPUTS + ISSUED)
        props |= {"prefix": prefix, "email_mapping": email_mapping, "orchestrator": orchestrator}
        # The claim is part of the input: what is not claimed is never registered, so never created.
        props["email"] = pulumi.Output.all(email, prefix, email_mapping, orchestrator).apply(
            lambda made_of: program.claim(name, opts, made_of)
        )
        if existing_api_key is not None:
            props[ADOPTED] = pulumi.Output.secret(existing_api_key)
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_key", ADOPTED])
        super().__init__(ProvisionedUserProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
        # The engine applies additional_secret_outputs; mocks do not.
        self.api_key = pulumi.Output.secret(self.api_key)


@dataclass
class _Program:
    """What is known across the resources of one program's run.

    Attributes:
        claims: by base URL and internal email, the resource that stands for that user: its parent's URN and its name.
        told: whether the program was looked at for keys in the clear.
    """

    claims: dict[tuple[str, str], tuple[str | None, str]] = field(default_factory=dict)
    told: bool = False

    @staticmethod
    def current() -> _Program:
        """The program that runs now: one for each connection to an engine's (or the mocks') resource monitor."""
        return _programs.setdefault(get_monitor(), _Program())

    async def claim(self, name: str, opts: pulumi.ResourceOptions | None, made_of: Sequence[Any]) -> Any:
        """The email that was given, when no other resource stands for the same user.

        Args:
            name: the resource's name.
            opts: its options, of which the parent matters.
            made_of: email, prefix, email mapping and orchestrator.

        Raises:
            pulumi.RunError: naming both resources and the ways out.
        """
        from . import mapping, settings

        email, prefix, email_mapping, orchestrator = made_of
        if email is None or not all(isinstance(given, str) for given in made_of if given is not None):
            return email  # refused in check
        base_url, domain = settings.destination(pulumi.runtime.get_config, os.environ, orchestrator)
        domain = domain or f"<{orchestrator or 'the orchestrator'}'s domain>"  # not set: as under mocks
        internal_email = mapping.spelled(email, domain, prefix=prefix, email_mapping=email_mapping)
        # Awaited, not an input: a child that depends on its parent would wait for itself.
        parent = await opts.parent.urn.future() if opts is not None and opts.parent is not None else None
        claimed_by = self.claims.setdefault((base_url, internal_email), (parent, name))
        if claimed_by != (parent, name):
            raise pulumi.RunError(
                f'"{claimed_by[1]}" and "{name}" both map to {internal_email}. '
                'Set prefix on one, or email_mapping="subaddress".'
            )
        return email

    def warn_of_plain_key(self) -> None:
        """Warn once when the stack's config holds the provisioner key in the clear."""
        if self.told:
            return
        self.told = True
        config = pulumi.runtime.config
        for setting, command in _KEYS.items():
            value = config.get_config(setting)
            holds_key = bool(value) and "apiKey" in f"{setting} {value}"  # the setting itself, or one of its fields
            if holds_key and not config.is_config_secret(setting):
                pulumi.log.warn(
                    f"{setting} holds a key in the clear in the stack's config, and so in its state. "
                    f"Run: {command}, and have OpenFunnel replace the key."
                )


_programs: WeakKeyDictionary[Any, _Program] = WeakKeyDictionary()


def _refuse_import(name: str, opts: pulumi.ResourceOptions | None) -> None:
    if opts is not None and (opts.import_ is not None or opts.id is not None):
        raise pulumi.RunError(
            f'ProvisionedUser "{name}": OpenFunnel cannot read a user, so neither import_ nor id can bring one in. '
            "Pass its key as existing_api_key instead."
        )
