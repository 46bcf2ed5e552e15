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
    parser = arguments.Parser(prog="python -m pulumi_openfunnel", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (doctor, ledger, simulator):
        command.add_to(commands)
    args = arguments.parsed(parser, argv)
    status: int = args.run(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
