"""Every command on every page can be typed as it stands. Those of the quickstart are run in tests/e2e/test_checkout.py."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import shlex
import subprocess

import pytest

from pulumi_openfunnel.__main__ import parser

from .pages import ROOT, all_pages

OTHERS = {"cd", "cp", "echo", "export", "pip", "python", "rm"}
"""Commands of others, which are no more than named here."""

TYPED = sorted({command for page in all_pages() for command in page.commands})
OF_PULUMI = sorted({command for command in TYPED if command.startswith("pulumi ")})


def _words(command: str) -> list[str]:
    """Its words, without variables before it and without what follows it."""
    words = shlex.split(re.split(r" \| | && | > ", command)[0], comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    return words


def test_commands_are_known() -> None:
    """No page has a command that nobody looks at here."""
    ours = {"pulumi", "make"}
    first = {_words(command)[0] for command in TYPED}
    assert {word for word in first if "venv/bin/" not in word} - ours - OTHERS == set()


@pytest.mark.parametrize("command", [command for command in TYPED if "-m pulumi_openfunnel" in command])
def test_commands_of_the_package(command: str) -> None:
    """Its parser takes them."""
    words = _words(command)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        parser().parse_args(words[words.index("pulumi_openfunnel") + 1 :])
    assert said.getvalue() == ""


def test_targets_of_make() -> None:
    """The Makefile has them."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = [_words(command)[1:] for command in TYPED if command.startswith("make ")]
    named = {next(word for word in words if "=" not in word) for words in typed}
    assert named <= targets


def test_commands_of_pulumi() -> None:
    """The CLI has each subcommand, and each of the options."""
    unknown = []
    for command in OF_PULUMI:
        words = _words(command)
        subcommand = re.match(r"pulumi((?: (?:stack|config|state|plugin) [a-z]+\b)| [a-z]+)", command)
        said = _help(tuple(subcommand[1].split())) if subcommand else ""
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        if not said or not options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", said)):
            unknown.append(command)
    assert unknown == []


@functools.cache
def _help(subcommand: tuple[str, ...]) -> str:
    """What the CLI says of a subcommand; nothing when it has none of that name."""
    done = subprocess.run(["pulumi", *subcommand, "--help"], capture_output=True, text=True, check=True)
    usage = done.stdout.partition("Usage:\n")[2].partition("Flags:\n")[0]  # with its aliases
    return done.stdout if re.search(rf"\b{subcommand[-1]}\b", usage) else ""
