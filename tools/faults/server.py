"""The OpenFunnel of one run: a simulator in a process of its own, and its record of what it did."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import simulator

_EXISTING = ("409", "same-key", "new-key")


@dataclass(frozen=True)
class Weather:
    """How a server behaves.

    Attributes:
        existing: what it answers for a user that exists: ``"409"``, ``"same-key"`` or ``"new-key"``.
        latency: seconds before each request is worked on.
        rate: how many requests go wrong, from 0 to 1.
        seed: which ones, and how.
    """

    existing: str
    latency: float
    rate: float
    seed: int

    @classmethod
    def by_chance(
        cls,
        chance: random.Random,
        *,
        rates: tuple[float, ...] = (0.0, 0.0, 0.15),
        latency: tuple[float, float] = (0.1, 0.6),
        existing: str | None = None,
    ) -> Weather:
        """Weather within these limits; without them fair more often than not."""
        return cls(
            existing=existing or chance.choice(_EXISTING),
            latency=round(chance.uniform(*latency), 2),
            rate=chance.choice(rates),
            seed=chance.randrange(1_000_000),
        )

    def __str__(self) -> str:
        faults = f", faults {self.rate:.0%} (seed {self.seed})" if self.rate else ""
        return f"server {self.existing}, {self.latency:g} s{faults}"


@dataclass(frozen=True)
class Request:
    """One create-user request by the server's record.

    Attributes:
        at: its arrival, in seconds since the epoch.
        email: the internal email that was asked for.
        fault: the fault played, by its name; None for none.
        status: of the answer; None when none was sent.
        done: whether a key was issued.
        key: that key.
    """

    at: float
    email: str
    fault: str | None
    status: int | None
    done: bool
    key: str | None = field(repr=False)


class Server:
    """A running simulator.

    Attributes:
        base_url: where it serves.
        api_key: the provisioner key that it accepts.
        weather: how it behaves.
    """

    def __init__(self, base_url: str, api_key: str, weather: Weather, record: Path) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.weather = weather
        self._record = record

    def requests(self) -> list[Request]:
        """Every create-user request so far."""
        rows = [json.loads(line) for line in self._record.read_text().splitlines()]
        return [Request(**{name: row[name] for name in Request.__dataclass_fields__}) for row in rows]

    def keys(self) -> dict[str, list[str]]:
        """The keys issued to each internal email, the current one last."""
        issued: dict[str, list[str]] = {}
        for request in self.requests():
            known = issued.setdefault(request.email, [])
            if request.key is not None and request.key not in known:
                known.append(request.key)
        return issued


@contextlib.contextmanager
def serving(weather: Weather, record: Path) -> Iterator[Server]:
    """A server until the context ends.

    Args:
        weather: how it behaves.
        record: the file of its record, which holds keys.
    """
    api_key = f"of_{secrets.token_urlsafe(24)}"
    with simulator.serving(api_key, record, *_options(weather)) as base_url:
        yield Server(base_url, api_key, weather, record)


def _options(weather: Weather) -> list[str]:
    options = [f"--existing={weather.existing}", f"--latency={weather.latency}"]
    if weather.rate:
        options += [f"--fault-seed={weather.seed}", f"--fault-rate={weather.rate}", "--hold=2"]
    return options
