"""The provider classes that states name.

The engine stores a provider in every resource's state, pickled by reference: this module's path and the classes' names are a
contract with every state ever written, and an instance holds nothing. The program imports this module as well, so what
does the work is imported where the provider process uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

if TYPE_CHECKING:
    from .dynamic.process import Verbs


class _Provider(ResourceProvider):
    """Hands each verb on."""

    # An instance holds nothing, so its pickle needs no encryption in the state.
    serialize_as_secret_always = False

    def _verbs(self) -> Verbs:
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        from .dynamic.process import PROCESS

        PROCESS.configure(req.config)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        return self._verbs().check(olds, news)

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return self._verbs().diff(id, olds, news)

    def create(self, props: dict[str, Any]) -> CreateResult:
        return self._verbs().create(props)

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        return self._verbs().read(id, props)

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return self._verbs().update(id, olds, news)

    def delete(self, id: str, props: dict[str, Any]) -> None:
        self._verbs().delete(id, props)


class ProvisionedUserProvider(_Provider):
    """One OpenFunnel user. The API can only create, so every other verb keeps what create brought."""

    def _verbs(self) -> Verbs:
        from .dynamic.process import PROCESS
        from .dynamic.user import UserVerbs

        return PROCESS.told_plainly(UserVerbs(PROCESS.session))


class ProvisionedUsersShardProvider(_Provider):
    """Some of a roster's users: what fails for one of them is kept beside what succeeded for the others."""

    def _verbs(self) -> Verbs:
        from .dynamic.process import PROCESS
        from .dynamic.shard import ShardVerbs

        return PROCESS.told_plainly(ShardVerbs(PROCESS))


class ProvisionedUsersMembersProvider(_Provider):
    """The members of a roster: who they are, and which shard holds whom."""

    def _verbs(self) -> Verbs:
        from .dynamic.members import MembersVerbs
        from .dynamic.process import PROCESS

        return PROCESS.told_plainly(MembersVerbs(PROCESS.session))
