"""What a look at a set-up found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """How it is."""

    OK = "ok"
    MEND = "mend"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        subject: what was looked at.
        verdict: how it is.
        text: what was seen, and what to do when it must be mended. Never a key.
    """

    subject: str
    verdict: Verdict
    text: str

    def __str__(self) -> str:
        named = self.text.startswith(self.subject)  # errors begin with the setting that they are about
        return f"{self.verdict.value:<8} {self.text if named else f'{self.subject}: {self.text}'}"


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject, Verdict.OK, text)


def mend(subject: str, text: str) -> Finding:
    """Something must be mended."""
    return Finding(subject, Verdict.MEND, text)


def unknown(subject: str, text: str) -> Finding:
    """It could not be told."""
    return Finding(subject, Verdict.UNKNOWN, text)
