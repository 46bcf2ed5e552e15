"""Every path from a first state, each state once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from typing_extensions import Self

from .terms import Choice, Wrong

Path = tuple["Path", Choice] | None


S = TypeVar("S")


class State(Protocol):
    """A state of a world, from which there are ways."""

    @property
    def state(self) -> Hashable:
        """All that the future depends on."""

    def copy(self) -> Self:
        """The same, to go another way from."""

    def choices(self) -> list[Choice]:
        """The ways from here."""

    def happen(self, choice: Choice) -> None:
        """Go one of them."""


W = TypeVar("W", bound=State)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        states: how many states there are.
        ends: in how many of them nothing more can happen.
        wrong: what is wrong, and the path to it; None when nothing is.
    """

    states: int
    ends: int
    wrong: str | None


def search(start: Callable[[], W], finale: Callable[[W], None], most: int = 10**9) -> Found:
    """Go every way from a state; at each end, let the finale judge it.

    Args:
        start: makes the first state, the same one each time.
        finale: raises Wrong.
        most: states, after which the search is given up.

    Raises:
        AssertionError: when there are more states.
    """
    seen: set[int] = set()
    ends = 0
    waiting: list[tuple[W, Path]] = [(start(), None)]
    while waiting:
        world, path = waiting.pop()
        try:
            if path is not None:
                world.happen(path[1])
            while (state := hash(world.state)) not in seen:
                seen.add(state)
                if len(seen) > most:
                    raise AssertionError(f"more than {most} states")
                choices = world.choices()
                if not choices:
                    ends += 1
                    finale(world)
                    break
                waiting += [(world.copy(), (path, choice)) for choice in choices[1:]]
                path = path, choices[0]
                world.happen(choices[0])
        except Wrong as wrong:
            told = "\n".join(" ".join(choice) for choice in _choices(path))
            return Found(len(seen), ends, f"{wrong}, after:\n{told}")
    return Found(len(seen), ends, None)


def _choices(path: Path) -> list[Choice]:
    found: list[Choice] = []
    while path is not None:
        path, choice = path
        found.append(choice)
    return found[::-1]
