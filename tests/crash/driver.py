"""The process whose children do one verb each: it imports everything first, so that a child's system calls are the verb's.

A job is a line of JSON on standard input. It is answered with two lines: the child's process id, and how it ended.
``python -m tests.crash.driver`` runs it from the repository's root.
"""

from __future__ import annotations

import contextlib
import ctypes
import encodings.idna  # noqa: F401 - a first connection would import it
import functools
import gc
import json
import os
import signal
import stringprep  # noqa: F401 - and this
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NoReturn
from unittest.mock import patch

from pulumi_openfunnel.api import answers, client
from pulumi_openfunnel.errors import OpenFunnelError
from pulumi_openfunnel.ledger import opening, sealing  # noqa: F401 - a first caller would import them
from pulumi_openfunnel.ledger.objects import store as objects  # noqa: F401 - and this
from pulumi_openfunnel.ledger.postgres import store as postgres  # noqa: F401 - and this
from pulumi_openfunnel.ledger.sqlite import owners, store  # noqa: F401 - and these
from pulumi_openfunnel.ledger.turns import Busy
from pulumi_openfunnel.ledger_urls import parse
from pulumi_openfunnel.places import Place
from pulumi_openfunnel.provisioning import waiting  # noqa: F401 - and this
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.provisioning.ownership import adopt, hold, release
from pulumi_openfunnel.provisioning.users import wait_for
from pulumi_openfunnel.settings import Settings

from . import broken
from .calls import Watch, shorten_leases, watched

GO = signal.SIGUSR1
_TIMEOUT = 20  # seconds for the user
_PR_SET_PTRACER = 0x59616D61  # prctl(2): who else may trace, where Yama restricts it
_ANYBODY = ctypes.c_ulong(-1)


@dataclass(frozen=True)
class Job:
    """One verb, and for whom.

    Attributes:
        verb: its name in ``VERBS``.
        base_url: the API's.
        user_id: the orchestrator's own email; no two points share one.
        api_key: the provisioner key.
        ledger: the ledger, as the setting names it.
        email: the end user's address.
        internal_email: the user's.
        key: the id and the key that the state holds; None for a create.
        moved_from: the end user's address before an update.
        variant: how the product is broken, a name in ``broken.VARIANTS``; None: not at all.
        waits: whether the child waits for ``GO``, until it is traced.
        home: the child's home directory; None: the driver's.
        lease: seconds that a run's lease lasts; None: as long as the product says.
        watches: whether the store's calls are counted.
        point: which of them goes wrong, and how; see :class:`~.calls.Watch`.
    """

    verb: str
    base_url: str
    user_id: str
    api_key: str
    ledger: str
    email: str
    internal_email: str
    key: tuple[str, str] | None = None
    moved_from: str | None = None
    variant: str | None = None
    waits: bool = False
    home: str | None = None
    lease: float | None = None
    watches: bool = False
    point: tuple[int, str] | None = None

    @property
    def domain(self) -> str:
        return self.user_id.rpartition("@")[2]

    @property
    def place(self) -> Place:
        place = parse(self.ledger)
        if place is None:
            raise AssertionError("the ledger is not off")
        return place

    @property
    def caller(self) -> Caller:
        settings = Settings(self.user_id, self.domain, self.base_url, self.api_key, timeout=_TIMEOUT, ledger=self.place)
        return Caller(settings, _connections(self.variant))

    @property
    def user(self) -> EndUser:
        return EndUser(self.email, self.internal_email)

    @property
    def held(self) -> ProvisionedKey:
        if self.key is None:
            raise AssertionError("the state holds no key before a create")
        return ProvisionedKey(*self.key)

    def line(self) -> str:
        return json.dumps(asdict(self))


def read(line: str) -> Job:
    """The job of a line."""
    found = json.loads(line)
    pairs = {name: tuple(found[name]) for name in ("key", "point") if found[name] is not None}
    return Job(**found | pairs)


@functools.cache
def _connections(variant: str | None) -> Connections:
    """Those of all children: each has a copy of its own, whose client the driver has made already."""
    return broken.VARIANTS[variant]()


def _create(job: Job) -> list[str]:
    caller, until = job.caller, time.monotonic() + _TIMEOUT
    while isinstance(key := provision(caller, job.user), Busy):
        wait_for({job.internal_email: key}, caller, until)
    return [key.id, key.api_key]


def _adopt(job: Job) -> None:
    adopt(job.caller, job.user, job.held.api_key)


def _update(job: Job) -> None:
    hold(job.caller, job.user, job.held, moved_from=job.moved_from)


def _delete(job: Job) -> bool:
    caller = job.caller
    return release(caller.connections, job.place, caller, job.user, job.held, revoked=False)


VERBS: dict[str, Callable[[Job], Any]] = {
    "create": _create,
    "adopt": _adopt,
    "update": _update,
    "delete": _delete,
}


def main() -> None:
    """Do what comes, until nothing comes any more."""
    gc.disable()  # a collection in a child would touch, and so copy, all that was imported
    for line in sys.stdin:
        job = read(line)
        job.caller.client  # noqa: B018 - reads a megabyte of certificates, and opens no connection
        mine, childs = os.pipe()
        child = os.fork()
        if child == 0:
            _be_child(job, childs)
        os.close(childs)
        with os.fdopen(mine) as pipe:
            if job.waits:
                pipe.readline()  # it does no more but wait
            _say({"pid": child})
            events = [json.loads(event) for event in pipe if event.endswith("\n")]
        _say({"status": os.waitpid(child, 0)[1], "events": events})


def _be_child(job: Job, pipe: int) -> NoReturn:
    with contextlib.suppress(BaseException):  # nothing of the driver's own runs in the child afterwards
        _tell_when_looked_at(pipe)
        watch = _prepared(job)
        if job.waits:
            _wait_for_tracer(pipe)
        _tell(pipe, _outcome(job) | {"calls": watch.seen})
    os._exit(0)


def _prepared(job: Job) -> Watch:
    """The child as the machine is that the job wants."""
    if job.home is not None:
        os.environ["HOME"] = job.home
    if job.lease is not None:
        shorten_leases(job.lease)
    watch = Watch(job.point)
    if job.watches:
        watched(job.caller.connections.ledger(job.place), watch)
    return watch


def _wait_for_tracer(pipe: int) -> None:
    """Say so, and wait in a system call that no verb makes: what is counted begins with the verb."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    _tell(pipe, {"waits": True})
    signal.sigwait({GO})


def _outcome(job: Job) -> dict[str, Any]:
    try:
        return {"done": VERBS[job.verb](job)}
    except OpenFunnelError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except Exception as error:  # noqa: BLE001 - for the report of the test
        return {"error": type(error).__name__, "message": f"unexpected: {error}"}


def _tell_when_looked_at(pipe: int) -> None:
    """Tell when an answer is about to be parsed: it is in the ledger by then."""

    def believe(*args: Any) -> answers.CreatedUser:
        _tell(pipe, {"looked": True})
        return answers.believe(*args)

    patch.object(client, "believe", believe).start()


def _tell(pipe: int, event: dict[str, Any]) -> None:
    os.write(pipe, json.dumps(event).encode() + b"\n")


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO})
    main()
