"""How lines name many things: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10  # names in a line


def names(of: Sequence[str], between: str = ", ") -> str:
    """Names behind one another: ``a, b and 3 more``."""
    more = f" and {len(of) - SHOWN} more" if len(of) > SHOWN else ""
    return between.join(of[:SHOWN]) + more


def sentences(of: Sequence[str], shown: int = SHOWN) -> str:
    """Sentences behind one another: ``This. That. And 3 more.``."""
    more = f" And {len(of) - shown} more." if len(of) > shown else ""
    return " ".join(of[:shown]) + more
