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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from pulumi_openfunnel.api import answers, client
from pulumi_openfunnel.errors import OpenFunnelError
from pulumi_openfunnel.ledger import sealing  # noqa: F401 - a first caller would import it
from pulumi_openfunnel.provisioning.connections import Caller, Connections
from pulumi_openfunnel.provisioning.create import provision
from pulumi_openfunnel.provisioning.keys import EndUser, ProvisionedKey
from pulumi_openfunnel.provisioning.ownership import hold, release
from pulumi_openfunnel.settings import Settings

from . import broken

GO = signal.SIGUSR1
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
        ledger: the ledger's file.
        email: the end user's address.
        internal_email: the user's.
        key: the id and the key that the state holds; None for a create.
        moved_from: the end user's address before an update.
        variant: how the product is broken, a name in ``broken.VARIANTS``; None: not at all.
        waits: whether the child waits for ``GO``, until it is traced.
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

    @property
    def caller(self) -> Caller:
        domain = self.user_id.rpartition("@")[2]
        settings = Settings(self.user_id, domain, self.base_url, self.api_key, timeout=20, ledger=Path(self.ledger))
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


@functools.cache
def _connections(variant: str | None) -> Connections:
    """Those of all children: each has a copy of its own, whose client the driver has made already."""
    return broken.VARIANTS[variant]()


def _create(job: Job) -> list[str]:
    key = provision(job.caller, job.user)
    return [key.id, key.api_key]


def _update(job: Job) -> None:
    hold(job.caller, job.user, job.held, moved_from=job.moved_from)


def _delete(job: Job) -> bool:
    caller = job.caller
    return release(caller.connections, Path(job.ledger), caller, job.user, job.held, revoked=False)


VERBS: dict[str, Callable[[Job], Any]] = {"create": _create, "update": _update, "delete": _delete}


def main() -> None:
    """Do what comes, until nothing comes any more."""
    gc.disable()  # a collection in a child would touch, and so copy, all that was imported
    for line in sys.stdin:
        job = Job(**json.loads(line))
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
        if job.waits:
            _wait_for_tracer(pipe)
        _tell(pipe, _outcome(job))
    os._exit(0)


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
