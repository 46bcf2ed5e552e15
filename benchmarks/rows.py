"""What is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One way to create users.

    Attributes:
        key: its name on the command line.
        title: its name in the tables.
        files: of ``programs/``: for a stack its program and the modules beside it; for a command its one file.
        is_stack: whether Pulumi runs it.
        ledger: whether the package keeps its ledger.
        least: the users from which on it is worth a measurement.
        most: the users up to which it takes minutes, not hours.
        environment: variables that its program reads.
    """

    key: str
    title: str
    files: tuple[str, ...]
    is_stack: bool = True
    ledger: bool = True
    least: int = 1
    most: int = 1000
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def fixed(self) -> bool:
        """Whether it has one size, to be compared with others of any size."""
        return self.least == self.most

    def at(self, size: int) -> int:
        """The size that it has where others have this one."""
        return self.most if self.fixed else size


EMPTY = Row("empty", "an empty stack", ("empty.py",), least=0, most=0)
ONE = Row("one", "one resource of the leanest provider", ("leanest.py", "leanest_provider.py"), most=1)
DOCUMENTED = Row("documented", "dynamic provider, as documented", ("documented.py",))
DEEP = Row(
    "documented-deep",
    "documented, deeper recursion",
    ("documented.py",),
    least=300,
    environment={"RECURSION_LIMIT": "100000"},
)
LEANEST = Row("leanest", "the leanest dynamic provider", ("leanest.py", "leanest_provider.py"))
SAME = Row(
    "same",
    "the leanest one, the same properties",
    ("same.py", "same_openfunnel_provider.py", "leanest_provider.py"),
)
USER = Row("user", "ProvisionedUser", ("user.py",))
USER_OFF = Row("user-off", "ProvisionedUser, ledger off", ("user.py",), ledger=False)
SKIPPED = Row(
    "user-skipped",
    "ProvisionedUser, skipped checkpoints",
    ("user.py",),
    environment={"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"},
)
USERS = Row("users", "ProvisionedUsers", ("users.py",), most=50_000)
USERS_OFF = Row("users-off", "ProvisionedUsers, ledger off", ("users.py",), ledger=False, most=5000)
CURL = Row("curl", "xargs -P 32 curl", ("curl.sh",), is_stack=False)
FLOOR = Row("httpx", "httpx.Client, 32 threads", ("floor.py",), is_stack=False, most=5000)

ROWS = (EMPTY, ONE, DOCUMENTED, DEEP, LEANEST, SAME, USER, USER_OFF, SKIPPED, USERS, USERS_OFF, CURL, FLOOR)


def sharded(shards: int, *, readers: bool = False) -> Row:
    """A roster over this many shards, with or without a reader of each key."""
    return Row(
        f"{'readers' if readers else 'shards'}{shards}",
        f"{shards} shards",
        ("sharded.py", "reader.py", "sitecustomize.py"),
        most=5000,
        environment={"SHARDS": str(shards), "PYTHONPATH": "."} | ({"READERS": "yes"} if readers else {}),
    )
