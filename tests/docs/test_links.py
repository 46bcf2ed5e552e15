"""Every link of every page leads somewhere. Those to other sites are a scheduled workflow's: see tools/links.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import HOME, ROOT, Page, all_pages

ELSEWHERE = ("https://", "http://", "mailto:")


@pytest.mark.parametrize("page", all_pages(), ids=str)
def test_links_lead_somewhere(page: Page) -> None:
    """A file that is there and, behind a #, a heading of it."""
    assert [target for target in page.targets if not _leads(page, target)] == []


def test_every_page_is_in_the_site() -> None:
    """Each file of docs/ is in a table of contents, so that a reader comes to it."""
    listed = {
        line.strip()
        for page in all_pages()
        for block in page.blocks("{toctree}")
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    there = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in (ROOT / "docs").glob("[!_]*/*.md")}
    there |= {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert listed == there - {"index"}


def _leads(page: Page, target: str) -> bool:
    for kind in (f"{HOME}/blob/main/", f"{HOME}/tree/main/"):
        if target.startswith(kind):
            return (ROOT / target.removeprefix(kind)).exists()
    if target.startswith(ELSEWHERE):
        return True
    name, _, anchor = target.partition("#")
    path = page.path.parent / name if name else page.path
    return path.exists() and (not anchor or anchor in _anchors(path))


def _anchors(path: Path) -> set[str]:
    return {section.slug for section in Page(path).sections}
