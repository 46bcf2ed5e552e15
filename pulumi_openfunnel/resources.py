"""What a Pulumi program declares."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import pulumi
from pulumi.dynamic import Resource

from .provider import INPUTS, ISSUED, ProvisionedUserProvider

_SECRET = ["api_key"]
_API_KEY = "openfunnel:apiKey"

# The programs (by their root resource) that were told that their provisioner key is in the clear.
_told: WeakSet[pulumi.Resource] = WeakSet()


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
        opts: the usual resource options; ``import_`` and ``id`` are refused, because a user cannot be read.

    Raises:
        pulumi.RunError: for an option that cannot work.
    """

    email: pulumi.Output[str]
    """The end user's address, in lower case."""
    prefix: pulumi.Output[str | None]
    """As given."""
    email_mapping: pulumi.Output[str | None]
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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        _refuse_import(name, opts)
        _warn_of_plain_key()
        props: dict[str, Any] = dict.fromkeys(INPUTS + ISSUED)
        props |= {"email": email, "prefix": prefix, "email_mapping": email_mapping}
        secret = pulumi.ResourceOptions(additional_secret_outputs=_SECRET)
        super().__init__(ProvisionedUserProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
        # The engine applies additional_secret_outputs; mocks do not.
        self.api_key = pulumi.Output.secret(self.api_key)


def _refuse_import(name: str, opts: pulumi.ResourceOptions | None) -> None:
    if opts is not None and (opts.import_ is not None or opts.id is not None):
        raise pulumi.RunError(
            f'ProvisionedUser "{name}": OpenFunnel cannot read a user, so neither import_ nor id can bring one in. '
            "Take the option away."
        )


def _warn_of_plain_key() -> None:
    """Warn once a program when its stack's config holds the provisioner key in the clear."""
    config = pulumi.runtime.config
    root = pulumi.runtime.get_root_resource()
    if not config.get_config(_API_KEY) or config.is_config_secret(_API_KEY) or root is None or root in _told:
        return
    _told.add(root)
    pulumi.log.warn(
        f"{_API_KEY} is in the stack's config in the clear, and will be in its state. "
        f"Run: pulumi config set --secret {_API_KEY}, and have OpenFunnel replace the key."
    )
