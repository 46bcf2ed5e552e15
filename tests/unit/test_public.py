"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pulumi_openfunnel

HEAVY = ("httpx", "email_validator", "sqlite3", "cryptography", "h11")


def test_every_public_name_is_exported() -> None:
    """What the package's module defines beside its modules is in __all__, sorted."""
    assert sorted(pulumi_openfunnel.__all__) == pulumi_openfunnel.__all__
    assert pulumi_openfunnel.__all__ == ["ProvisionedUser", "ProvisionedUsers"]
    assert all(hasattr(pulumi_openfunnel, name) for name in pulumi_openfunnel.__all__)


def test_a_program_loads_nothing_that_only_the_provider_needs() -> None:
    """Importing the package adds none of the heavy modules to the program's process."""
    program = f"import sys, pulumi, pulumi_openfunnel; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
