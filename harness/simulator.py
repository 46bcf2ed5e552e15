"""A simulated OpenFunnel in a process of its own, so that nothing which is measured or killed shares one with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ORCHESTRATOR = "guy@orchestrator.com"
_GRACE = 10.0  # seconds


@contextlib.contextmanager
def serving(api_key: str, record: Path, *options: str) -> Iterator[str]:
    """Serve until the context ends.

    Args:
        api_key: the key of the one orchestrator.
        record: the file that gets a line for each create-user request, with its key.
        options: of ``python -m pulumi_openfunnel simulator``.

    Yields:
        The base URL.
    """
    command = [sys.executable, "-m", "pulumi_openfunnel", "simulator", "--port=0", f"--record={record}"]
    command += [f"--orchestrator={ORCHESTRATOR}={api_key}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            base_url = server.stdout.readline().strip() if server.stdout else ""
            if not base_url:
                raise SystemExit("The simulator did not start.")
            yield base_url
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_GRACE)
            server.kill()
