"""What the code takes and gives is on the pages, and nothing else is."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pulumi_openfunnel
from pulumi_openfunnel import ProvisionedUser, ProvisionedUsers, settings, testing
from pulumi_openfunnel.__main__ import parser
from pulumi_openfunnel.program.member import RosterUser
from pulumi_openfunnel.schema import ISSUED, USER_INPUTS
from pulumi_openfunnel.simulator import Existing, Fault, Ids

from .pages import ROOT, all_pages, page

PACKAGE = ROOT / "pulumi_openfunnel"
CONFIG = {
    settings.USER_ID,
    settings.API_KEY,
    settings.BASE_URL,
    settings.TIMEOUT,
    settings.LEDGER,
    settings.ORCHESTRATORS,
}
TAUGHT = {"openfunnel:baseUrl", "openfunnel:index:ProvisionedUsers"}


def _words(pattern: str, texts: Iterator[str] | list[str]) -> set[str]:
    return {word for text in texts for word in re.findall(pattern, text)}


def _variables() -> set[str]:
    """Every variable of the package's own that its code names."""
    return _words(r"OPENFUNNEL_[A-Z]+(?:_[A-Z]+)*", [path.read_text() for path in PACKAGE.rglob("*.py")])


def test_settings() -> None:
    """settings.md lists every key of the config and every variable, and no page speaks of another."""
    table = page("docs/settings.md").section("Settings").spans
    assert {span for span in table if re.fullmatch(r"openfunnel:\w+", span)} == CONFIG
    assert {span for span in table if re.fullmatch(r"OPENFUNNEL_\w+", span)} == _variables()
    told = [one.text for one in all_pages() if one.path.parent.name != "benchmarks"]
    assert _words(r"openfunnel:[a-z][A-Za-z]+\b(?!:)", told) <= CONFIG
    assert _words(r"(?<![\w/.])OPENFUNNEL_(?:USER|API|BASE|LEDGER|TIMEOUT)[A-Z_]*[A-Z]", told) <= _variables()


def _arguments(resource: type) -> set[str]:
    return set(inspect.signature(resource.__init__).parameters) - {"self", "name"}  # type: ignore[misc]


def _properties(of: type) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")}


def test_properties_of_a_user() -> None:
    """users.md lists every argument and every output."""
    users = page("docs/users.md")
    assert set(users.section("Arguments").rows) == _arguments(ProvisionedUser)
    assert set(users.section("Outputs").rows) == {*USER_INPUTS, *ISSUED, "internal_email"} - {"existing_api_key"}
    assert set(users.section("Outputs").rows) == _annotated(PACKAGE / "program" / "user.py", "ProvisionedUser")


def _annotated(path: Path, name: str) -> set[str]:
    """The attributes that a class annotates, within conditions as well."""
    [found] = [node for node in ast.walk(ast.parse(path.read_text())) if getattr(node, "name", None) == name]
    nodes = (node for node in ast.walk(found) if isinstance(node, ast.AnnAssign))
    return {node.target.id for node in nodes if isinstance(node.target, ast.Name) and node.value is None}


def test_properties_of_a_roster() -> None:
    """rosters.md lists every argument, every output, and what one user gives."""
    rosters = page("docs/rosters.md")
    assert set(rosters.section("Arguments").rows) == _arguments(ProvisionedUsers)
    assert set(rosters.section("Outputs").rows) == _properties(ProvisionedUsers)
    assert _properties(RosterUser) <= set(rosters.section("Who a member is").spans)


def test_the_local_openfunnel() -> None:
    """testing.md lists everything that a LocalOpenFunnel has."""
    rows = " ".join(page("docs/testing.md").section("With a local OpenFunnel").rows)
    named = set(re.findall(r"\b[a-z_]+(?=$|[ (])", rows))
    assert _properties(testing.LocalOpenFunnel) | {"base_url", "user_id", "api_key", "ledger"} <= named


def test_the_python_api() -> None:
    """api.md has an entry for every public name, and for no private one beside what a roster gives."""
    named = re.findall(r"^\.\. auto(?:class|function):: (\S+)$", page("docs/api.md").text, re.MULTILINE)
    public = [f"{module.__name__}.{name}" for module in (pulumi_openfunnel, testing) for name in module.__all__]
    assert sorted(named) == sorted([*public, "pulumi_openfunnel.program.member.RosterUser"])


def _parsers(of: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, found in action.choices.items():
                full = f"{name} {word}".strip()
                yield full, found
                yield from _parsers(found, full)


COMMANDS = dict(_parsers(parser()))


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command: str) -> None:
    """commands.md has a section for the command, with every option of it and no other."""
    taken = {word for action in COMMANDS[command]._actions for word in action.option_strings} - {"-h", "--help"}
    spans = [span.split()[0] for span in page("docs/commands.md").section(command).spans]
    assert {span for span in spans if span.startswith("--")} == taken
    metavars = {str(action.metavar) for action in COMMANDS[command]._actions if action.nargs == "*"}
    assert metavars <= set(spans)


def test_choices_of_the_simulator() -> None:
    """Every fault, and every kind of answer for a user that exists, is listed."""
    commands = page("docs/commands.md")
    assert commands.section("Faults").rows == [fault.value for fault in Fault]
    spans = commands.section("simulator").spans
    assert {str(kind.value) for kind in (*Existing, *Ids)} <= set(spans)
