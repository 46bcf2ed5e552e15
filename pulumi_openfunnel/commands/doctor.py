"""The ``doctor`` command: what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os

from . import terminal
from .findings import Finding, Verdict
from .surroundings import Surroundings, look_around


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the package's."""
    doctor = commands.add_parser(
        "doctor",
        help="what is wrong with a set-up, and what to do about it",
        description="Look at everything that pulumi up needs: Pulumi, the settings and where each came from, the API, the "
        "provisioner key, the ledger, the state's place, CI. Creates no user and shows no key.",
        epilog="exit status: 0 all is well; 1 something must be mended; 2 something could not be told, or wrong arguments; "
        "130 interrupted",
    )
    doctor.add_argument("--stack", metavar="NAME", help="whose settings to read (default: the selected stack)")
    doctor.add_argument("--json", action="store_true", help="print one JSON document")
    doctor.set_defaults(run=lambda args: terminal.run(lambda: _run(args)))


def _run(args: argparse.Namespace) -> int:
    from . import checkups

    surroundings = look_around(os.environ, args.stack)
    findings = list(dict.fromkeys(checkups.all_of(surroundings)))  # two orchestrators may meet the same
    if args.json:
        terminal.show(json.dumps(_document(surroundings, findings), indent=2).splitlines())
    else:
        terminal.show(map(str, findings))
    return status(findings)


def status(findings: list[Finding]) -> int:
    """The exit status: 1 when something must be mended, 2 when something could not be told, else 0."""
    verdicts = {finding.verdict for finding in findings}
    return 1 if Verdict.MEND in verdicts else 2 if Verdict.UNKNOWN in verdicts else 0


def _document(surroundings: Surroundings, findings: list[Finding]) -> dict[str, object]:
    return {
        "stack": surroundings.stack,
        "status": status(findings),
        "findings": [
            {"subject": finding.subject, "verdict": finding.verdict.value, "text": finding.text} for finding in findings
        ],
    }
