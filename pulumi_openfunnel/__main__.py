"""``python -m pulumi_openfunnel``: what is useful beside ``pulumi up``."""

from __future__ import annotations

import sys

from .commands import arguments, doctor, ledger, simulator


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments; those of the process when None.

    Returns:
        The exit status.
    """
    args = arguments.parsed(parser(), argv)
    status: int = args.run(args)
    return status


def parser() -> arguments.Parser:
    """What reads the arguments of every command."""
    found = arguments.Parser(prog="python -m pulumi_openfunnel", description=__doc__)
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    for command in (doctor, ledger, simulator):
        command.add_to(commands)
    return found


if __name__ == "__main__":
    sys.exit(main())
