"""Python processes beside the tests' own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pulumi_openfunnel

# The package's __init__ would load Pulumi, which none of these processes needs.
ALONE = f"""
import sys, types
package = sys.modules["pulumi_openfunnel"] = types.ModuleType("pulumi_openfunnel")
package.__path__ = {list(pulumi_openfunnel.__path__)!r}
"""


@contextlib.contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs this code beside the package's modules; it is killed at the end of the block."""
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
