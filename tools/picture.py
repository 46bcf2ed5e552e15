"""Draw ``docs/images/up.svg``: a real ``pulumi up`` of the quickstart, against a local OpenFunnel.

``python -m tools.picture`` needs the Pulumi CLI on PATH; ``make picture`` sees to that.
"""

from __future__ import annotations

import sys
import tempfile
from html import escape
from pathlib import Path

from harness import Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

from .demo import QUICKSTART

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "up.svg"
YOU = "you@yourco.com"

LINE, LEFT, TOP, CHARACTER = 20, 20, 52, 7.85  # pixels
PLAIN, GREEN = "#e6edf3", "#7ee787"


def main() -> int:
    """Run it, and draw what a reader would see."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(shown()))
    print(PICTURE)
    return 0


def shown() -> list[str]:
    """The lines of the session."""
    accounts = Accounts([Account(YOU, "of_demonstration")])
    with tempfile.TemporaryDirectory() as directory, serve(accounts) as base_url:
        project = Project(Path(directory), name="quickstart")
        project.write(QUICKSTART.read_text())
        project.setenv(OPENFUNNEL_BASE_URL=base_url, OPENFUNNEL_USER_ID=YOU, OPENFUNNEL_API_KEY="of_demonstration")
        project.add_stack()
        up = project.pulumi("up", "--yes", "--skip-preview", "--suppress-progress").output
        email = project.pulumi("stack", "output", "alice_internal_email").output
    return ["$ pulumi up", *told(up), "", "$ pulumi stack output alice_internal_email", *told(email)]


def told(output: str) -> list[str]:
    """The lines without empty ones at both ends, and without what names a place."""
    lines = [line.rstrip() for line in output.splitlines() if "://" not in line]
    return "\n".join(lines).strip("\n").split("\n")


def drawn(lines: list[str]) -> str:
    """The lines as a picture of a terminal."""
    width = round(2 * LEFT + CHARACTER * max(map(len, lines)))
    height = TOP + LINE * len(lines) + 20
    rows = [f'<text x="{LEFT}" y="{TOP + LINE * at}">{span(line)}</text>' for at, line in enumerate(lines, 1) if line]
    dots = [f'<circle cx="{24 + 20 * at}" cy="22" r="6" fill="{fill}"/>' for at, fill in enumerate(DOTS)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>A pulumi up that creates one OpenFunnel user</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *dots,
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" fill="{PLAIN}">',
        *rows,
        "</g>",
        "</svg>",
        "",
    ])  # fmt: skip


DOTS = ("#ff5f56", "#ffbd2e", "#27c93f")


def span(line: str) -> str:
    """A line: what is typed is bold, what is new is green, as the CLI has it in a terminal."""
    text = escape(line.replace(" ", "\N{NO-BREAK SPACE}"))
    if line.startswith("$ "):
        return f'<tspan font-weight="bold">{text}</tspan>'
    return f'<tspan fill="{GREEN}">{text}</tspan>' if line.lstrip().startswith("+ ") else text


if __name__ == "__main__":
    sys.exit(main())
