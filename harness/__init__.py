"""The real Pulumi CLI in a place of its own: what the tests, the demo, the benchmarks and the faults drive it with.

A ``Project`` has a home, a state, a ledger and an environment that nothing else shares. ``Project.pulumi`` runs one
command to its end, ``Project.start`` lets it run, to be interrupted or killed. ``runbook`` does what docs/recovery.md
says after a kill, ``processes`` knows who lives below a CLI, and ``simulator`` serves an OpenFunnel.
"""

from .commands import Done, Failed, Hung, Running
from .environment import clean_environment, need
from .project import UP, Project
from .waiting import wait_until

__all__ = ["UP", "Done", "Failed", "Hung", "Project", "Running", "clean_environment", "need", "wait_until"]
