"""Every block of Python on every page is what the package takes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import mypy.api
import pytest

import pulumi_openfunnel

from .pages import ROOT, Page, all_pages

PAGES = [page for page in all_pages() if page.blocks("python")]


def _calls(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("openfunnel."):
            yield node


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_blocks_compile(page: Page) -> None:
    """Python reads them, and what they call of the package exists and takes those arguments."""
    for block in page.blocks("python"):
        for call in _calls(block):
            taken = inspect.signature(getattr(pulumi_openfunnel, ast.unparse(call.func).partition(".")[2]))
            taken.bind(*call.args, **{str(keyword.arg): None for keyword in call.keywords})


def test_whole_programs_type_check(tmp_path: Path) -> None:
    """A block that imports what it uses is a program, and mypy finds nothing wrong with it."""
    programs = []
    for page in PAGES:
        for number, block in enumerate(page.blocks("python")):
            if "import pulumi_openfunnel as openfunnel" in block:
                programs.append(tmp_path / f"{page.path.parent.name}_{page.path.stem}_{number}.py".replace("-", "_"))
                programs[-1].write_text(block)
    assert len(programs) > 4
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'pages'}"
    said, _, status = mypy.api.run([cache, "--config-file=", "--follow-imports=silent", *map(str, programs)])
    assert (said.splitlines()[:-1], status) == ([], 0)
