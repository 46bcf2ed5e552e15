"""The pages, taken apart as Markdown: what the tests of this folder look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
HOME = "https://github.com/openfunnel/pulumi-openfunnel"


@dataclass(frozen=True)
class Section:
    """A heading, and what stands below it up to the next one of any level."""

    title: str
    tokens: tuple[Token, ...]

    @property
    def slug(self) -> str:
        """Its anchor, as GitHub and the site make it."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")

    @property
    def spans(self) -> list[str]:
        """Its inline code."""
        return [span for token in self.tokens for span in _spans(token)]

    @property
    def rows(self) -> list[str]:
        """The inline code of the first cell of each row of its tables, but for the heads."""
        firsts = [
            self.tokens[at + 2]
            for at, token in enumerate(self.tokens)
            if token.type == "tr_open" and self.tokens[at + 1].type == "td_open"
        ]
        return [span for token in firsts for span in _spans(token)]


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """As it is written; what it includes is not in it."""
        return self.path.read_text()

    @cached_property
    def tokens(self) -> list[Token]:
        """Its blocks."""
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def sections(self) -> list[Section]:
        """All of them, in order."""
        heads = [at for at, token in enumerate(self.tokens) if token.type == "heading_open"]
        return [
            Section(_plain(self.tokens[at + 1]), tuple(self.tokens[at + 3 : end]))
            for at, end in zip(heads, [*heads[1:], len(self.tokens)], strict=True)
        ]

    def section(self, title: str) -> Section:
        """The one with a title."""
        [found] = [section for section in self.sections if section.title == title]
        return found

    @property
    def spans(self) -> list[str]:
        """All inline code."""
        return [span for token in self.tokens for span in _spans(token)]

    @property
    def targets(self) -> Iterator[str]:
        """What its links and pictures point to."""
        for token in self.tokens:
            for child in token.children or []:
                target = child.attrGet("href") or child.attrGet("src")
                if isinstance(target, str):
                    yield target

    def blocks(self, *languages: str) -> list[str]:
        """The fenced blocks in these languages."""
        return [token.content for token in self.tokens if token.type == "fence" and token.info.strip() in languages]

    @property
    def commands(self) -> list[str]:
        """The commands that a reader types: those behind a prompt, and those in inline code."""
        typed = [line[2:] for block in self.blocks("console") for line in block.splitlines() if line.startswith("$ ")]
        return typed + [span for span in self.spans if re.match(r"(pulumi|make|python -m pulumi_openfunnel) \S", span)]


def _spans(token: Token) -> list[str]:
    return [child.content for child in token.children or [] if child.type == "code_inline"]


def _plain(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def page(name: str) -> Page:
    """One page, by its path from the root."""
    return Page(ROOT / name)


def all_pages() -> list[Page]:
    """Every page that a reader may come to."""
    names = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "templates/python/README.md")
    found = [ROOT / name for name in names]
    for pattern in ("docs/*.md", "docs/benchmarks/*.md", "examples/*/README.md"):
        found += sorted(ROOT.glob(pattern))
    return [Page(path) for path in found]
