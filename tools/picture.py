"""Draw ``docs/images/up.svg``: a real ``pulumi up`` of the quickstart, against a local OpenFunnel.

``python -m tools.picture`` needs the Pulumi CLI on PATH; ``make picture`` sees to that.
"""

from __future__ import annotations

import re
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
COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}
PLAIN = "#e6edf3"


def main() -> int:
    """Run it, and draw what a reader would see."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(shown()))
    print(PICTURE)
    return 0


def shown() -> list[str]:
    """The lines of the session, in the colours of the terminal."""
    accounts = Accounts([Account(YOU, "of_demonstration")])
    with tempfile.TemporaryDirectory() as directory, serve(accounts) as base_url:
        project = Project(Path(directory), name="quickstart")
        project.write(QUICKSTART.read_text())
        project.setenv(OPENFUNNEL_BASE_URL=base_url, OPENFUNNEL_USER_ID=YOU, OPENFUNNEL_API_KEY="of_demonstration")
        project.add_stack()
        up = project.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", "--color", "always").output
        email = project.pulumi("stack", "output", "alice_internal_email").output
    return ["$ pulumi up", *told(up), "", "$ pulumi stack output alice_internal_email", *told(email)]


def told(output: str) -> list[str]:
    """The lines without empty ones at both ends, and without what names a place."""
    lines = [line.rstrip() for line in output.splitlines()]
    return "\n".join(line for line in lines if "file://" not in line and "/tmp" not in line).strip("\n").split("\n")


def drawn(lines: list[str]) -> str:
    """The lines as a picture of a terminal."""
    width = round(2 * LEFT + CHARACTER * max(len(re.sub(r"\x1b\[[\d;]*m|<\{.*?\}>", "", line)) for line in lines))
    height = TOP + LINE * len(lines) + 8
    rows = [f'<text x="{LEFT}" y="{TOP + LINE * at}">{spans(line)}</text>' for at, line in enumerate(lines, 1) if line]
    dots = [f'<circle cx="{24 + 20 * at}" cy="22" r="6" fill="{fill}"/>' for at, fill in enumerate(DOTS)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>A pulumi up that creates one OpenFunnel user</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *dots,
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" fill="{PLAIN}" xml:space="preserve">',
        *rows,
        "</g>",
        "</svg>",
        "",
    ])  # fmt: skip


DOTS = ("#ff5f56", "#ffbd2e", "#27c93f")


def spans(line: str) -> str:
    """A line with the terminal's colours as spans."""
    out, style = [], ""
    for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m|$)", line):
        if text:
            out.append(f"<tspan{style}>{escape(text)}</tspan>" if style else escape(text))
        style = styled(codes)
    return "".join(out)


def styled(codes: str) -> str:
    """The attributes for a terminal's codes."""
    found = codes.split(";")
    color = next((COLORS[code] for code in found if code in COLORS), None)
    if found[:2] == ["38", "5"]:  # one of 256: the CLI's own blue and green
        color = COLORS["32"] if found[2] in ("2", "10") else COLORS["34"]
    return (f' fill="{color}"' if color else "") + (' font-weight="bold"' if "1" in found else "")


if __name__ == "__main__":
    sys.exit(main())
