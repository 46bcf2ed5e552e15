"""Get a virtual environment with one version of Pulumi's Python SDK, and print its Python as the last line.

``python tools/sdk.py VERSION``, or without a version for the newest one, whatever pyproject.toml asks for. It holds what the
tests need beside, is kept in the user's cache directory, and runs the package from the working directory. With ``all``
everything that the package stands on is the newest that there is.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
ALL = "all"
STANDS_ON = (
    "pulumi",
    "cryptography",
    "email-validator",
    "h11",
    "httpcore",
    "httpx",
    "idna",
    "obstore",
    "platformdirs",
    "psycopg[binary]",
    "psycopg-pool",
)
"""What may change under the package; whatever the bounds in pyproject.toml are."""


def main() -> None:
    """Make the environment where it is not there, and bring the SDK in."""
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    environment = cache_directory() / f"{version or 'newest'}-{digest()}"
    python, whole = environment / "bin" / "python", environment / "whole"
    if not whole.exists():
        shutil.rmtree(environment, ignore_errors=True)
        print(f"Installing into {environment} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip(python, "--constraint", str(CONSTRAINTS), f"{ROOT}[dev]")
        if version and version != ALL:
            pip(python, f"pulumi=={version}")
        whole.touch()
    if not version or version == ALL:
        pip(python, "--upgrade", *(STANDS_ON if version else STANDS_ON[:1]))
    names = [name.partition("[")[0] for name in (STANDS_ON if version == ALL else STANDS_ON[:1])]
    told = f"import importlib.metadata as m; print(*(f'{{name}} {{m.version(name)}}' for name in {names}), sep=', ')"
    print(
        subprocess.run([python, "-c", told], check=True, capture_output=True, text=True).stdout, end="", file=sys.stderr
    )
    print(python)


def pip(python: Path, *what: str) -> None:
    """Install. An SDK that is older than pyproject.toml wants is complained of, and installed."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, stdout=sys.stderr)


def digest() -> str:
    """Tells environments apart that hold other things beside the SDK."""
    made_of = [platform.python_version().encode(), (ROOT / "pyproject.toml").read_bytes(), CONSTRAINTS.read_bytes()]
    return hashlib.sha256(b"\0".join(made_of)).hexdigest()[:8]


def cache_directory() -> Path:
    """The user's cache directory for SDKs; made when it is missing."""
    if platform.system() == "Darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = base / "pulumi-openfunnel" / "sdk"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


if __name__ == "__main__":
    main()
