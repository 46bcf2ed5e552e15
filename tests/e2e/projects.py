"""Projects that tests start from."""

from __future__ import annotations

from collections.abc import Callable

from harness import Project

ONE_USER = """
    import pulumi
    import pulumi_openfunnel as openfunnel

    alice = openfunnel.ProvisionedUser("alice", email="alice@alice-startup.com")
    pulumi.export("internal_email", alice.internal_email)
    pulumi.export("api_key", alice.api_key)
"""

NewProject = Callable[..., Project]
