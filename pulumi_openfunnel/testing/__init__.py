"""For tests of programs that declare OpenFunnel users: mocks that know them, and a local OpenFunnel.

Mocks, for programs without an engine; pytest is not needed::

    pulumi.runtime.set_mocks(Mocks())

A local OpenFunnel, for programs that a real ``pulumi up`` runs, as a pytest fixture: ``pytest_plugins =
["pulumi_openfunnel.testing"]`` in a ``conftest.py``, and ``openfunnel_api`` as a test's argument. Elsewhere,
``with local_openfunnel(directory) as api``.

PYTEST_DONT_REWRITE: a ``conftest.py`` may import this module before pytest does.
"""

import contextlib

from ..simulator import Fault, User
from .local import LocalOpenFunnel, local_openfunnel
from .mocks import Mocks

with contextlib.suppress(ModuleNotFoundError):  # mocks do not need pytest
    from .fixture import openfunnel_api

__all__ = ["Fault", "LocalOpenFunnel", "Mocks", "User", "local_openfunnel", "openfunnel_api"]
