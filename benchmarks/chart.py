"""A picture of the first updates: bars on a logarithmic scale, in an SVG that fits light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_COLOURS = ("#9ec5fe", "#4c8dff", "#8250df", "#d4518c")  # by size, smallest first; they hold on white and on black
_TEXT = "#6e7781"  # as contrasting on white as on black
_LINE = "#8c959f"
_WIDTH, _LEFT, _RIGHT, _TOP = 880, 260, 70, 62
_BAR, _GAP = 13, 14  # heights of a bar, and of the space between two groups


@dataclass(frozen=True)
class Bar:
    """Seconds for one size; None where it failed, which ``note`` says."""

    size: int
    seconds: float | None
    note: str = ""


@dataclass(frozen=True)
class Group:
    """One row's bars."""

    title: str
    bars: Sequence[Bar]


class _Scale:
    """Seconds to pixels, from a power of ten to a power of ten."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self._first = math.floor(math.log10(min(seconds) * 0.9))  # a bar is never empty
        self._last = max(math.ceil(math.log10(max(seconds))), self._first + 1)

    def __call__(self, seconds: float) -> float:
        share = (math.log10(seconds) - self._first) / (self._last - self._first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    @property
    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self._first, self._last + 1)]


def draw(title: str, groups: Sequence[Group]) -> str:
    """The picture.

    Args:
        title: what is drawn.
        groups: top to bottom; at least one bar has a number.

    Returns:
        A whole SVG document.
    """
    scale = _Scale([bar.seconds for group in groups for bar in group.bars if bar.seconds is not None])
    sizes = sorted({bar.size for group in groups for bar in group.bars if bar.size})
    colours = dict(zip(sizes, _COLOURS, strict=False))
    bottom = _TOP + sum(_height(group) for group in groups)
    parts = [_text(16, 24, title, size=15, weight=600), *_legend(colours), *_grid(scale, bottom)]
    y = float(_TOP)
    for group in groups:
        parts += _group(group, y, scale, colours)
        y += _height(group)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 34}" width="{_WIDTH}" role="img"'
    font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
    return "\n".join([f"{head} {font}>", f"<title>{escape(title)}</title>", *parts, "</svg>", ""])


def _height(group: Group) -> int:
    return _BAR * len(group.bars) + _GAP


def _legend(colours: dict[int, str]) -> list[str]:
    parts, x = [], _LEFT
    for size, colour in colours.items():
        parts.append(f'<rect x="{x}" y="37" width="11" height="11" rx="2" fill="{colour}"/>')
        parts.append(_text(x + 16, 47, f"{size:,} users"))
        x += 105
    return parts


def _grid(scale: _Scale, bottom: int) -> list[str]:
    parts = []
    for tick in scale.ticks:
        x = f"{scale(tick):.1f}"
        line = f'<line x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{bottom}" stroke="{_LINE}" stroke-opacity="0.4"/>'
        parts += [line, _text(scale(tick), bottom + 18, f"{tick:g} s", anchor="middle")]
    return parts


def _group(group: Group, top: float, scale: _Scale, colours: dict[int, str]) -> list[str]:
    middle = top + _BAR * len(group.bars) / 2 + 4
    parts = [_text(_LEFT - 12, middle, group.title, size=13, anchor="end")]
    for number, bar in enumerate(group.bars):
        y = top + _BAR * number
        if bar.seconds is None:
            parts.append(_text(_LEFT + 6, y + 10, bar.note, size=11))
            continue
        width = scale(bar.seconds) - _LEFT
        fill = colours.get(bar.size, _LINE)
        parts.append(f'<rect x="{_LEFT}" y="{y:.1f}" width="{width:.1f}" height="{_BAR - 2}" rx="2" fill="{fill}"/>')
        parts.append(_text(_LEFT + width + 6, y + 10, _seconds(bar.seconds), size=11))
    return parts


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s"


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" font-weight="{weight}" fill="{_TEXT}">{escape(text)}</text>'
