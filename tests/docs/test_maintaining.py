"""The page for maintainers knows every canary."""

from __future__ import annotations

import re

from .pages import ROOT, page


def test_every_canary_is_explained() -> None:
    """What it means when it fails, and where to mend it."""
    tests = [path.read_text() for path in (ROOT / "tests" / "canary").glob("test_*.py")]
    named = {name for text in tests for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    section = page("docs/maintaining.md").section("A new version of what we stand on")
    assert {span for span in section.rows if span.startswith("test_")} == named
