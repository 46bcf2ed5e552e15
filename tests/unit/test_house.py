"""What holds the house: short functions and files, no state on modules, and a program's process that stays light."""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import importlib
import json
import logging
import pkgutil
import re
import statistics
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import pulumi_openfunnel

ROOT = Path(pulumi_openfunnel.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LONG_FILES = {"ledger/ledger.py"}
"""Those that may have more than 300 lines for now."""

STATE = {("pulumi_openfunnel.dynamic.process", "PROCESS"), ("pulumi_openfunnel.program.claims", "_programs")}
"""All that is on modules and changes: the provider's process, and the programs that run in this one."""

FOR_THE_PROVIDER = ("dynamic", "provisioning", "api", "ledger")
"""The rooms that a program's process never enters."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _functions(file: Path) -> Iterator[Function]:
    yield from (node for node in ast.walk(_tree(file)) if isinstance(node, Function))


def _lines(function: Function) -> int:
    """How many lines a function's body has, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_a_body_fits_a_glance() -> None:
    """No function's body has more than 40 lines, and half of them have no more than five."""
    lengths = {f"{_name(file)}: {found.name}": _lines(found) for file in FILES for found in _functions(file)}
    assert {name: lines for name, lines in lengths.items() if lines > 40} == {}
    assert statistics.median(lengths.values()) <= 5


def test_a_file_is_a_room() -> None:
    """No file has more than 300 lines, but for those that are named here; and none is named without need."""
    assert {_name(file) for file in FILES if file.read_text().count("\n") > 300} == LONG_FILES


def test_no_function_writes_to_its_module() -> None:
    """There is no ``global`` statement."""
    assert [_name(file) for file in FILES if any(isinstance(node, ast.Global) for node in ast.walk(_tree(file)))] == []


def _modules() -> Iterator[types.ModuleType]:
    """All modules of the package; importing each of them has no effect, not even that of ``__main__``."""
    yield pulumi_openfunnel
    for found in pkgutil.walk_packages(pulumi_openfunnel.__path__, "pulumi_openfunnel."):
        yield importlib.import_module(found.name)


def _assigned(module: types.ModuleType) -> Iterator[str]:
    """The names that a module gives to values of its own."""
    for node in _tree(Path(str(module.__file__))).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (found.id for target in targets for found in ast.walk(target) if isinstance(found, ast.Name))


_UNCHANGING = (
    *(str, bytes, int, float, complex, types.NoneType, tuple, frozenset, range, enum.Enum, Path),
    *(
        re.Pattern,
        logging.Logger,
        type,
        types.FunctionType,
        types.BuiltinFunctionType,
        types.GenericAlias,
        types.UnionType,
    ),
    *(typing.TypeVar, typing.ParamSpec, functools._lru_cache_wrapper),
)


def _can_change(value: object) -> bool:
    """Whether a value is more than a constant; what only typing knows is none."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parameters: typing.Any = getattr(type(value), "__dataclass_params__")  # noqa: B009 - dataclasses' own
        return not parameters.frozen
    return not isinstance(value, _UNCHANGING) and type(value).__module__ != "typing"


def _written_to() -> set[str]:
    """The names that some function of the package changes the value of, as a container."""
    changing = {*dir(list), *dir(dict), *dir(set)} - {*dir(tuple), *dir(frozenset), *dir(types.MappingProxyType)}
    found: set[str] = set()
    for file in FILES:
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                found |= {ast.unparse(node.value).rpartition(".")[2]}
            if isinstance(node, ast.Attribute) and node.attr in changing:
                found |= {ast.unparse(node.value).rpartition(".")[2]}
            if isinstance(node, ast.AugAssign):
                found |= {ast.unparse(node.target).rpartition(".")[2]}
    return found


def test_two_objects_hold_all_state() -> None:
    """What else is on modules are constants: containers among them are in capitals, and nobody writes to them."""
    written_to, found = _written_to(), set()
    for module in _modules():
        for name in _assigned(module):
            value = getattr(module, name, None)
            constant = isinstance(value, dict | list | set) and name.isupper() and name not in written_to
            if _can_change(value) and not constant and name != "__all__":
                found.add((module.__name__, name))
    assert found == STATE


def test_no_class_holds_state() -> None:
    """A container on a class would be one for all its instances."""
    found = set()
    for module in _modules():
        for class_ in vars(module).values():
            if isinstance(class_, type) and class_.__module__ == module.__name__:
                found |= {
                    f"{module.__name__}.{class_.__name__}.{name}"
                    for name, value in vars(class_).items()
                    if isinstance(value, dict | list | set | bytearray)
                    and not re.fullmatch("__.*__|_.*_|_field_defaults", name)
                }
    assert found == set()


@pytest.mark.parametrize("program", ["import pulumi_openfunnel", "from pulumi_openfunnel import ProvisionedUsers"])
def test_a_program_does_not_enter_the_providers_rooms(program: str) -> None:
    """Its process loads nothing of them, rosters or not."""
    code = f"import json, sys; {program}; print(json.dumps(sorted(m for m in sys.modules if m.startswith('pulumi_openfunnel.'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "pulumi_openfunnel.providers" in loaded
    assert [name for name in loaded if name.split(".")[1] in FOR_THE_PROVIDER] == []
