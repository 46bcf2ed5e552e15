"""Build the sdist and the wheel, the same bytes from the same commit, and check them: ``python -m tools.release DIRECTORY``.

What a release publishes is built here twice and compared, so that anybody can build it from the tag and compare as well.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build into a directory; 1 when two builds differ."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    built = build(directory)
    with tempfile.TemporaryDirectory() as again:
        differ = digests(built) != digests(build(Path(again)))
    if differ:
        print("Two builds differ.", file=sys.stderr)
        return 1
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built)], check=True)
    for name, digest in digests(built).items():
        print(f"{digest}  {name}")
    return 0


def build(directory: Path) -> list[Path]:
    """The sdist, and the wheel that is built from it, without an environment that a registry would have to fill."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise SystemExit(f"{directory} is not empty.")
    environ = os.environ | {"SOURCE_DATE_EPOCH": _committed()}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return sorted(directory.iterdir())


def digests(files: list[Path]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _committed() -> str:
    """When the commit at hand was made, in seconds since the epoch."""
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
