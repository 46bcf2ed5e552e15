"""Libraries that only some places need."""

from __future__ import annotations

import importlib
import logging
from types import ModuleType

from ..errors import LedgerUnusable


def extra(module: str, name: str, place: object) -> ModuleType:
    """Import a module of an extra.

    Raises:
        LedgerUnusable: when the extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        pass
    raise LedgerUnusable(place, f'needs the extra "{name}"', f"Run: pip install 'pulumi-openfunnel[{name}]'.")


def quiet(logger: str) -> None:
    """Let a library log to whoever listens, and not to standard error: the errors of its calls say the same."""
    found = logging.getLogger(logger)
    if not found.handlers:
        found.addHandler(logging.NullHandler())
