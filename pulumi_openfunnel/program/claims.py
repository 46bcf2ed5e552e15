"""What is known across the resources of one program's run: who stands for which user, and what failed."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

import pulumi
from pulumi.runtime.settings import get_monitor

# The settings that hold provisioner keys, and how each is made a secret.
_KEYS = {
    "openfunnel:apiKey": "pulumi config set --secret openfunnel:apiKey",
    "openfunnel:orchestrators": "pulumi config set --path --secret 'openfunnel:orchestrators.NAME.apiKey'",
}


class Holder(NamedTuple):
    """A declaration that stands for a user.

    Attributes:
        parent: the URN of the resource's parent; None without one.
        name: the resource's name.
        email: the end user's address, where one resource stands for many.
    """

    parent: str | None
    name: str
    email: str | None = None

    def __str__(self) -> str:
        return f'"{self.name}"' + (f" ({self.email})" if self.email is not None else "")


class Program:
    """One run of a program.

    Attributes:
        claims: by base URL and internal email, who stands for that user.
        failures: lines that the run ends with.
        started: when it began, in seconds since the epoch.
        failing: the tasks that wait for the end, to fail then.
        rest: what they wait for together.
    """

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str], Holder] = {}
        self.failures: list[str] = []
        self.started = time.time()
        self.failing: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.rest: asyncio.Task[None] | None = None
        self._told: set[str] = set()

    @staticmethod
    def current() -> Program:
        """The program that runs now: one for each connection to an engine's (or the mocks') resource monitor."""
        try:
            return _programs.setdefault(get_monitor(), Program())
        except TypeError:  # there is none, as Pulumi will say, or none that can be a weak key
            return Program()

    def claim(self, destination: tuple[str, str], internal_email: str, holder: Holder) -> None:
        """Let a declaration stand for its user, when no other one does.

        Raises:
            pulumi.RunError: naming both and the ways out.
        """
        claimed_by = self.claims.setdefault((destination[0], internal_email), holder)
        if claimed_by != holder:
            raise pulumi.RunError(
                f"{claimed_by} and {holder} both map to {internal_email}. "
                'Set prefix on one, or email_mapping="subaddress".'
            )

    def tells(self, what: str) -> bool:
        """Whether the program is to be told of this: the first time only."""
        first = what not in self._told
        self._told.add(what)
        return first

    def warn_of_plain_key(self) -> None:
        """Warn once when the stack's config holds the provisioner key in the clear."""
        if not self.tells("plain key"):
            return
        config = pulumi.runtime.config
        for setting, command in _KEYS.items():
            value = config.get_config(setting)
            holds_key = bool(value) and "apiKey" in f"{setting} {value}"  # the setting itself, or one of its fields
            if holds_key and not config.is_config_secret(setting):
                pulumi.log.warn(
                    f"{setting} holds a key in the clear in the stack's config, and so in its state. "
                    f"Run: {command}, and have OpenFunnel replace the key."
                )


def destination(orchestrator: str | None) -> tuple[str, str]:
    """The base URL and the domain that an orchestrator's users are created at."""
    from .. import settings

    base_url, domain = settings.destination(pulumi.runtime.get_config, os.environ, orchestrator)
    return base_url, domain or f"<{orchestrator or 'the orchestrator'}'s domain>"  # not set: as under mocks


async def parent_of(opts: pulumi.ResourceOptions | None) -> str | None:
    """The URN of the parent that a resource is given; awaited, not an input: a child that depends on its parent would
    wait for itself."""
    return await opts.parent.urn.future() if opts is not None and opts.parent is not None else None


_programs: WeakKeyDictionary[Any, Program] = WeakKeyDictionary()
