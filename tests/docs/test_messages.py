"""Every message that a page quotes is one that the code says."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pulumi_openfunnel

from .pages import page

UPSTREAM = {
    "error: the stack is currently locked by …",
    "error: [409] Conflict: Another update is currently in progress",
    "error: error reading from server: EOF",
    "error: update cancelled",
    "warning: Attempting to deploy or update resources with … pending operations from previous deployment.",
    "error: failed to load checkpoint: EOF",
    "error: failed to load checkpoint: …",
    "post-step event returned an error: failed to save snapshot: …",
}
"""What Pulumi says, which is not ours to check."""

NO_MESSAGE = re.compile(r"(pulumi|python|make|pip|rm|cp|export|openssl) |[\w.]+=|.*--\w")
HOLE = "\0"


RECOVERY = page("docs/recovery.md").spans


def test_messages_are_the_codes() -> None:
    """Each part of it between "…" stands in the package's sentences."""
    assert [told for told in _quoted(RECOVERY) if not _is_said(told)] == []


def test_messages_are_found() -> None:
    """The recovery page quotes many, and one that nobody says is noticed."""
    assert len(_quoted(RECOVERY)) > 25
    assert _is_said("its key was revoked: OpenFunnel refuses it")
    assert not _is_said("its key was taken away: OpenFunnel refuses it")


def _quoted(spans: list[str]) -> list[str]:
    """Inline code that reads as a sentence."""
    found = [span for span in spans if span.count(" ") >= 2 and not NO_MESSAGE.match(span)]
    return [told for told in found if told not in UPSTREAM]


def _is_said(told: str) -> bool:
    parts = [part.strip() for part in re.split("…|/path/ledger.db", told)]
    said = " | ".join(_said())
    return all(part in said for part in parts if len(part) > 2)


@cache
def _said() -> list[str]:
    """Every text of the package, with holes where it differs from run to run."""
    texts = []
    for found in pkgutil.walk_packages(pulumi_openfunnel.__path__, "pulumi_openfunnel."):
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            texts += list(_texts(module))
    return texts


def _texts(module: ModuleType) -> Iterator[str]:
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_part(part, module) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _part(part: ast.expr, module: ModuleType) -> str:
    """A part of an f-string; a constant of its module is a part of the sentence."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = getattr(part, "value", None)
    try:
        found = pkgutil.resolve_name(f"{module.__name__}:{ast.unparse(value)}") if value is not None else None
    except (AttributeError, ValueError, ImportError):
        return HOLE
    return found if isinstance(found, str) else HOLE
