"""The tree of errors, as its module draws it."""

from __future__ import annotations

import inspect
import re

import pytest

from pulumi_openfunnel import errors

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, Exception) and found.__module__ == errors.__name__
]


def _drawn() -> dict[str, str]:
    """Each drawn name with the name that it hangs on; the root hangs on Exception."""
    path: list[str] = []
    tree: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:[│ ]   )*)((?:[├└]── )?)(\w+)(?:  .*)?$", line)
        if found:
            depth = len(found[1]) // 4 + bool(found[2])
            path = [*path[:depth], found[3]]
            tree[found[3]] = path[depth - 1] if depth else "Exception"
    return tree


def test_the_module_draws_every_error_and_no_other() -> None:
    """The tree in the module's docstring holds exactly the classes of the module."""
    assert set(_drawn()) == {found.__name__ for found in CLASSES}


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_hangs_where_it_is_drawn(error: type[Exception]) -> None:
    """Each error has one base, which is the one that the tree draws."""
    assert [base.__name__ for base in error.__bases__] == [_drawn()[error.__name__]]


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_says_what_it_means(error: type[Exception]) -> None:
    """Each error has a docstring of its own."""
    assert (vars(error).get("__doc__") or "").strip()


@pytest.mark.parametrize("error", CLASSES)
def test_one_class_catches_every_error(error: type[Exception]) -> None:
    """Whoever catches OpenFunnelError catches all of them."""
    assert issubclass(error, errors.OpenFunnelError)
