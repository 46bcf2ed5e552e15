"""The engine's verbs onto many users at once: a shard of a roster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from .. import wording
from ..errors import AnotherEndUser, OpenFunnelError
from ..schema import SHARD_INPUTS, pick
from .envelope import secrets
from .process import Process, Verbs
from .shard_state import applied, opened, plan

if TYPE_CHECKING:
    from .shard_work import ShardWork


class ShardVerbs(Verbs):
    """Each verb of a shard.

    Args:
        process: the provider process.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._session = process.session
        self._many = process.many

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Look at what would fail for members that are new. Nothing is looked at when nothing changed."""
        inputs = pick(news, SHARD_INPUTS)
        if inputs != pick(olds, SHARD_INPUTS) and not contains_unknowns(inputs.get("members")):
            from . import checks

            try:
                checks.check_new(self._session, opened(olds), opened(inputs), self._many)
            except OpenFunnelError as error:
                return CheckResult({}, [CheckFailure("", str(error))])
        return CheckResult(_secret_inputs(inputs), [])

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:  # noqa: ARG002 - the engine's
        """Compare members by what they are and not by their ids; those that failed are tried again."""
        self._remember(olds)
        changes = contains_unknowns(news) or (olds.get("applied") != applied(news) and self._changes(olds, news))
        return DiffResult(changes=changes, replaces=[], delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Get every member's key."""
        return CreateResult(props["roster"], self._work.settled({}, props))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Try every user's key; what is not known leaves the state as it is."""
        self._session.refreshes = True
        return ReadResult(id, self._work.seen(props))

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:  # noqa: ARG002 - the engine's
        """Get the keys of members that are new or failed before; forget those that left."""
        return UpdateResult(self._work.settled(olds, news))

    def delete(self, id: str, props: dict[str, Any]) -> None:  # noqa: ARG002 - the engine's
        """Release every key."""
        self._work.let_go(props)

    @property
    def _work(self) -> ShardWork:
        """What does the work, loaded when there is some."""
        from .shard_work import ShardWork

        return ShardWork(self._process)

    def _remember(self, olds: dict[str, Any]) -> None:
        """What the engine shows of the stack's users, for everybody else's checks."""
        try:
            if isinstance(olds.get("users"), str):
                self._session.memory.remember(olds["users"])
        except AnotherEndUser as error:
            if olds.get("secret"):
                error.call_user(f"a member of {olds['roster']}")
            raise

    def _changes(self, olds: dict[str, Any], news: dict[str, Any]) -> bool:
        """Whether there is anything to do; says who is tried again."""
        olds, news = opened(olds), opened(news)
        planned = plan(olds, news)
        again = [id_ for id_ in planned.missing if id_ in (olds.get("failed") or {})]
        if again and not self._session.refreshes:
            from . import checks

            checks.check_retried(self._session, news, again, self._many)
            count = f"{len(again)} that failed before {'is' if len(again) == 1 else 'are'} tried again"
            self._session.operation.info(news["roster"], f"{count}{_named(again, news)}.")
        return planned.changes


def _named(ids: list[str], news: Mapping[str, Any]) -> str:
    """The ids, where they may be shown."""
    hidden = news.get("secret") and any(news["members"][id_]["email"] == id_ for id_ in ids)
    return "" if hidden else f" ({wording.names(sorted(ids))})"


def _secret_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    inputs = secrets(inputs, "existing_api_keys")
    return secrets(inputs, "members") if inputs.get("secret") else inputs
