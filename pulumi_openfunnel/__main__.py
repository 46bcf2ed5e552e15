"""``python -m pulumi_openfunnel``: what is useful beside ``pulumi up``."""

from __future__ import annotations

import argparse
import sys

from .commands import ledger as ledger_command
from .commands import simulator as simulator_command


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments; those of the process when None.

    Returns:
        The exit status.
    """
    args = _parser().parse_args(argv)
    status: int = args.run(args)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pulumi_openfunnel", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    simulator_command.add_to(commands)
    ledger_command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
