"""Python processes beside a test, which read and write lines."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pulumi_openfunnel

PROCESS_ENDS = 30.0  # seconds, at most

# The package's __init__ would load Pulumi, which none of these processes needs.
ALONE = f"""
import sys, types
package = sys.modules["pulumi_openfunnel"] = types.ModuleType("pulumi_openfunnel")
package.__path__ = {list(pulumi_openfunnel.__path__)!r}
"""

ASKER = """
import sys
from pathlib import Path
from pulumi_openfunnel.ledger.documents import Identity
from pulumi_openfunnel.ledger.opening import ledger_at
from pulumi_openfunnel.places import FilePlace
turn = ledger_at(FilePlace(Path(sys.argv[1]))).begin(Identity(*sys.argv[2:]))
print(type(turn).__name__, flush=True)
sys.stdin.read()
"""
"""Is at a user, and says so with ``Asked``."""


@contextlib.contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs this code beside the package's modules; it is told by the end of its standard input that it is to end."""
    with subprocess.Popen(
        [sys.executable, "-c", ALONE + code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def line(child: subprocess.Popen[str]) -> str:
    """The next line that a process writes."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str], text: str = "") -> None:
    """Give a process a line."""
    assert child.stdin is not None
    child.stdin.write(f"{text}\n")
    child.stdin.flush()
