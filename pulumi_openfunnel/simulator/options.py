"""Faults and delays as they are written on the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .faults import Fault, Faults


def read_faults(
    script: Iterable[str], *, seed: str | None, rate: str | None, kinds: str | None, retry_after: str, hold: str
) -> Faults:
    """The faults that the command line asks for.

    Args:
        script: texts such as ``"3=429"``.
        seed: a whole number.
        rate: a number from 0 to 1, given when the seed is.
        kinds: names with commas between, such as ``"429,drop-after"``; only with a seed.
        retry_after: seconds.
        hold: seconds.

    Raises:
        ValueError: when one of them is something else.
    """
    if (seed is None) != (rate is None):
        raise ValueError("--fault-seed and --fault-rate belong together")
    if kinds is not None and seed is None:
        raise ValueError("--fault-kinds needs --fault-seed and --fault-rate")
    return Faults(
        _script(script),
        seed=None if seed is None else _whole(seed),
        rate=0.0 if rate is None else read_number("--fault-rate", rate, most=1),
        kinds=tuple(Fault) if kinds is None else [_kind(name) for name in kinds.split(",")],
        retry_after=read_number("--retry-after", retry_after),
        hold=read_number("--hold", hold),
    )


def read_number(option: str, text: str, *, most: float = math.inf) -> float:
    """A number from 0 to ``most``, such as one of seconds.

    Raises:
        ValueError: when the text is none; names the option.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most or math.isinf(number):
        raise ValueError(f"{option} is a number from 0{'' if math.isinf(most) else f' to {most:g}'}")
    return number


def _script(texts: Iterable[str]) -> dict[int, Fault]:
    script: dict[int, Fault] = {}
    for text in texts:
        number, equals, name = text.partition("=")
        if not (equals and number.isascii() and number.isdigit() and int(number) > 0):
            raise ValueError("--fault is given as N=KIND, such as 3=429, with requests counted from 1")
        if int(number) in script:
            raise ValueError(f"--fault gives request {int(number)} two faults")
        script[int(number)] = _kind(name)
    return script


def _kind(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise ValueError(f"kinds of faults are {', '.join(fault.value for fault in Fault)}") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("--fault-seed is a whole number") from None
