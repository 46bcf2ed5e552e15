"""A program under mocks, in a process of its own: prints what it registers, as JSON. Not for keys of anybody real.

``python recorder.py PROJECT`` reads the stack's config from standard input, as JSON.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from pulumi_openfunnel.testing import Mocks


class Others(pulumi.runtime.Mocks):
    """A cloud, which gives each resource an id."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"id-of-{args.name}", args.inputs

    def call(self, args: MockCallArgs) -> Any:  # noqa: ARG002 - whatever it is
        return {}


class Recording(MockMonitor):
    """Keeps each request as the engine would get it, secrets in their envelopes."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self.registered: list[dict[str, Any]] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        self.registered.append(
            {
                "type": request.type,
                "name": request.name,
                "inputs": MessageToDict(request.object),
                "secret_outputs": list(request.additionalSecretOutputs),
                "depends_on": [urn.rpartition("::")[2] for urn in request.dependencies],
            }
        )
        register: Any = super().RegisterResource  # without types
        return register(request)


def main(project: Path) -> None:
    """Run the program, and tell."""
    mocks = Mocks(Others())
    monitor = Recording(mocks)
    pulumi.runtime.set_mocks(mocks, monitor=monitor)
    pulumi.runtime.set_all_config(json.load(sys.stdin))
    sys.path.insert(0, str(project))
    tested: Any = pulumi.runtime.test  # without types
    tested(lambda: runpy.run_path(str(project / "__main__.py"), run_name="__main__") and None)()
    keys = {user.email: user.api_key for user in mocks.users}
    print(json.dumps({"registered": monitor.registered, "keys": keys}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
