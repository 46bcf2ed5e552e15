"""What is known across the resources of one program's run: who stands for which user, and what failed."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_engine, get_monitor

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
        shown: what messages call the member, where one resource stands for many; None for a secret.
        member: its id.
    """

    parent: str | None
    name: str
    shown: str | None = None
    member: str | None = None

    def __str__(self) -> str:
        return f'"{self.name}"' + (f" ({self.shown})" if self.shown is not None else "")


class Claim(NamedTuple):
    """Who stands for a user, and which end user it is.

    Attributes:
        holder: the declaration.
        email: the end user's address, normalized.
        owner: the declaration's resource.
    """

    holder: Holder
    email: str
    owner: Callable[[], pulumi.Resource | None]


class Program:
    """One run of a program.

    Attributes:
        claims: by base URL and internal email, who stands for that user.
        failures: lines that the run ends with.
        engine: the engine's address, which no other run on this machine has at the time; None where there is none.
        failing: the tasks that wait for the end, to fail then.
        rest: what they wait for together.
    """

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str], Claim] = {}
        self.failures: list[str] = []
        self.engine = engine_address()
        self._started = time.monotonic()
        self.failing: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.rest: asyncio.Task[None] | None = None
        self._told: set[str] = set()

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._started

    @staticmethod
    def current() -> Program:
        """The program that runs now: one for each connection to an engine's (or the mocks') resource monitor."""
        try:
            return _programs.setdefault(get_monitor(), Program())
        except TypeError:  # there is none, as Pulumi will say, or none that can be a weak key
            return Program()

    def claim(self, at: tuple[str, str], internal_email: str, claim: Claim, *, secret: bool = False) -> None:
        """Let a declaration stand for its user, when no other one does.

        Args:
            at: the base URL and the domain.
            internal_email: the user.
            claim: the declaration's.
            secret: whether no message may show an address.

        Raises:
            pulumi.RunError: naming both and the ways out.
        """
        holder, email = claim.holder, claim.email
        first = self.claims.setdefault((at[0], internal_email), claim)
        if first.holder == holder:
            return
        if self._is_over(first):
            self.claims[at[0], internal_email] = claim
            return
        if first.email == email:
            shown = "" if secret else f", {email}"
            raise pulumi.RunError(f"{first.holder} and {holder} are the same address{shown}. Remove one.")
        user = "one internal email" if secret else internal_email
        raise pulumi.RunError(
            f'{first.holder} and {holder} both map to {user}. Set prefix on one, or email_mapping="subaddress".'
        )

    def came_back(self, claim: Claim, base_url: str, internal_email: str, *, secret: bool = False) -> None:
        """Compare the user that a declaration turned out to stand for with what others claim.

        It may be another one than was claimed: a resource outside of an update's ``--target`` stays as it was.

        Raises:
            pulumi.RunError: when another end user was to get it, naming both.
        """
        first = self.claims.setdefault((base_url, internal_email), claim)
        if first.holder == claim.holder or first.email == claim.email:
            return
        user = "one internal email" if secret else internal_email
        raise pulumi.RunError(
            f"{claim.holder} holds {user} in this stack, and {first.holder} is another end user: both may have one key. Take "
            f"{first.holder} out again, or set prefix for it, and have OpenFunnel replace the key."
        )

    def _is_over(self, claim: Claim) -> bool:
        """Whether a claim is one of an earlier test: tests may share one ``set_mocks``, and with it this program."""
        if not is_mocked():
            return False
        gc.collect()
        return claim.owner() is None

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


def is_mocked() -> bool:
    """Whether the program runs under ``pulumi.runtime.set_mocks``, as in a test."""
    return isinstance(get_monitor(), MockMonitor)


def engine_address() -> str | None:
    """The engine's address as this program was given it, host and port; its provider is given the same.

    The language host starts a program with ``--engine``. A program of the Automation API runs in its caller's process, and
    its address is told by the channel that the SDK made, which is an internal of grpc.
    """
    argv = sys.orig_argv
    if "--engine" in argv:
        return argv[argv.index("--engine") + 1]
    channel = getattr(getattr(get_engine(), "Log", None), "_channel", None)
    target = getattr(channel, "target", None)
    return target().decode().rpartition("/")[2] if callable(target) else None


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
