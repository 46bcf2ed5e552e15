"""What commands inherit from the machine, and what must be there."""

from __future__ import annotations

import os
import shutil

_CONFIGURE = ("OPENFUNNEL_", "PULUMI_")


def clean_environment() -> dict[str, str]:
    """The environment without what would configure Pulumi or OpenFunnel."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURE)}


def need(target: str, *commands: str) -> None:
    """End here when the CLI, its language host or one of these commands is missing.

    Args:
        target: the make target that brings them.
        commands: what is needed beside Pulumi.

    Raises:
        SystemExit: with a line that says so.
    """
    for command in ("pulumi", "pulumi-language-python", *commands):
        if shutil.which(command) is None:
            raise SystemExit(f"{command} is not on PATH. Run: make {target}")
