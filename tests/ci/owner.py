"""The person who owns a stack, and the secrets that its jobs are given."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness import Project
from pulumi_openfunnel.simulator import Accounts, Fault, Faults

from .places import Place
from .runner import Runner
from .workflows import ROOT

PASSPHRASE = secrets.token_urlsafe(24)
PROVISIONER_KEY = f"of_{secrets.token_urlsafe(24)}"
LEDGER_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
SECRETS = (PASSPHRASE, PROVISIONER_KEY, LEDGER_KEY)

CUSTOMERS = 40
MANY = 600  # customers, of whom some are still to be asked for when the signals have come, on a busy machine, too
COMES = 120.0  # seconds within which what is waited for comes, on a busy machine
STACK = "prod"


class Owner:
    """The person who owns a stack: makes it, and looks at it.

    Args:
        root: a directory for a home and the program.
        place: where state and ledger lie.

    Attributes:
        program: the program's directory, as a checkout of it has it.
    """

    def __init__(self, root: Path, place: Place) -> None:
        self.program = root / "program"
        program_in(self.program)
        self.declare(CUSTOMERS)
        self._project = Project(root, directory=self.program)
        self._project.setenv(
            PULUMI_BACKEND_URL=next(iter(place.names.values())),
            PULUMI_CONFIG_PASSPHRASE=PASSPHRASE,
            **place.credentials(None),
        )
        self._project.add_stack(STACK)

    def declare(self, customers: int) -> None:
        """So many customers, and nobody else."""
        lines = [f"cust-{number},c{number}@customers.com" for number in range(1, customers + 1)]
        (self.program / "customers.csv").write_text("\n".join(["id,email", *lines, ""]))

    def keys(self) -> dict[str, str]:
        """The keys that the state holds, by customer."""
        found: dict[str, str] = json.loads(self._project.output("api_keys"))
        return found


NewOwner = Callable[[Place], Owner]


def program_in(directory: Path) -> None:
    """The template's project, as ``pulumi new`` makes it; it can have its ledger in any of the places."""
    template = ROOT / "templates" / "python"
    shutil.copytree(template, directory)
    manifest = (template / "Pulumi.yaml").read_text().partition("template:")[0]
    (directory / "Pulumi.yaml").write_text(manifest.replace("${PROJECT}", "acme").replace("${DESCRIPTION}", ""))
    (directory / "requirements.txt").write_text("pulumi-openfunnel[objects,postgres]\n")


def keys_of(accounts: Accounts) -> set[str]:
    """The keys that an OpenFunnel gave away."""
    return {user.api_key for user in accounts.users}


def shows_no_secret(runner: Runner, accounts: Accounts) -> bool:
    """Whether nothing that a job printed or left holds a key."""
    keys = [*SECRETS, *(user.api_key for user in accounts.users)]
    return not [key for key in keys if key in runner.said or runner.files_with(key)]


def port_of(api: str) -> int:
    """Where an OpenFunnel was, for it to be there again: at another address it would be another one."""
    return int(api.rpartition(":")[2])


def slow() -> Faults:
    """Answers but for the first come after two seconds, so that a signal finds some on their way."""
    return Faults(dict.fromkeys(range(1, MANY), Fault.HOLD), hold=2.0)


def half_held(seconds: float) -> Faults:
    """The second half of the customers gets no answer for so long."""
    return Faults(dict.fromkeys(range(CUSTOMERS // 2, MANY), Fault.HOLD), hold=seconds)


def asked_again(accounts: Accounts) -> set[str | None]:
    """The addresses that were asked for twice; every customer was asked for, and nobody more often."""
    asked = Counter(entry.email for entry in accounts.record.entries)
    assert len(asked) == CUSTOMERS
    assert max(asked.values()) == 2
    return {email for email, times in asked.items() if times > 1}


def holds(accounts: Accounts) -> set[str | None]:
    """The addresses of the requests whose answers are held back."""
    return {entry.email for entry in accounts.record.entries if entry.fault is Fault.HOLD}


def answered(accounts: Accounts) -> int:
    """How many requests' answers were not held back; no more come once one is, because the rest are held back, too."""
    return sum(entry.fault is not Fault.HOLD for entry in accounts.record.entries)
