"""Mocks that know this package's resources: the real checks, and users that nobody created."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from ..dynamic import checks, user
from ..dynamic.members import MembersVerbs
from ..dynamic.shard_state import Outcome, closed_outputs, members_of, opened, plan
from ..errors import OpenFunnelError
from ..operation import SILENT
from ..program.claims import MOCKED_USER_ID
from ..provisioning.connections import Caller
from ..provisioning.keys import EndUser, ProvisionedKey
from ..provisioning.session import Session
from ..provisioning.verify import checked_key
from ..schema import ADOPTED, SHARD_INPUTS, pick
from ..settings import LEDGER, OFF, USER_ID
from ..simulator import User

_ROSTER = "openfunnel:index:ProvisionedUsers"
_OURS = "pulumi-python:dynamic/openfunnel:"


class Mocks(pulumi.runtime.Mocks):
    """Mocks for ``pulumi.runtime.set_mocks`` of a program that declares OpenFunnel users.

    What the program declares is checked as a preview checks it, and an update that would be refused raises
    ``pulumi.RunError`` with the same line. Users get what OpenFunnel might give them, derived from who they are: the same
    address gets the same key in each test. Settings are those of ``pulumi.runtime.set_all_config``; without
    ``openfunnel:userId`` the orchestrator is guy@orchestrator.com. The environment is not looked at.

    Args:
        others: mocks for every other resource and function; without them a resource's outputs are its inputs, and a
            function gives nothing.
    """

    def __init__(self, others: pulumi.runtime.Mocks | None = None) -> None:
        self._others = others
        self._users: dict[str, User] = {}
        self._ours: Mapping[str, Callable[[Session, dict[str, Any], str], tuple[str | None, dict[str, Any]]]] = {
            f"{_OURS}ProvisionedUser": self._user,
            f"{_OURS}ProvisionedUsersMembers": _members,
            f"{_OURS}ProvisionedUsersShard": self._shard,
            _ROSTER: lambda _session, inputs, _name: (None, inputs),
        }

    @property
    def users(self) -> list[User]:
        """Every user so far, each once, with its ``id``, ``email`` (the internal one) and ``api_key``."""
        return list(self._users.values())

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The id and the outputs of a resource.

        Raises:
            pulumi.RunError: when the real check would refuse it.
        """
        ours = self._ours.get(args.typ)
        if ours is not None:
            try:
                return ours(_session(), _plain(args.inputs), args.name)
            except OpenFunnelError as error:
                raise pulumi.RunError(str(error)) from None
        if self._others is not None:
            return self._others.new_resource(args)
        return f"{args.name}_id", args.inputs

    def call(self, args: MockCallArgs) -> Any:
        """What a function gives."""
        return {} if self._others is None else self._others.call(args)

    def register_transform(self, transform: Any) -> None:
        """Hand on a transform of the stack."""
        if self._others is not None:
            self._others.register_transform(transform)

    def register_invoke_transform(self, transform: Any) -> None:
        """Hand on a transform of the stack's calls."""
        if self._others is not None:
            self._others.register_invoke_transform(transform)

    def _user(self, session: Session, inputs: dict[str, Any], _name: str) -> tuple[str | None, dict[str, Any]]:
        checked = _checked(user.UserVerbs(session).check({}, inputs))
        if pulumi.runtime.is_dry_run():
            return None, checked
        inputs = _plain(checked)
        caller = session.caller(inputs.get("orchestrator"))
        key = self._key(caller, EndUser(inputs["email"], inputs["internal_email"]), inputs.get(ADOPTED))
        return key.id, user.created(inputs, key)

    def _shard(self, session: Session, inputs: dict[str, Any], _name: str) -> tuple[str | None, dict[str, Any]]:
        if pulumi.runtime.is_dry_run():
            return None, pick(inputs, SHARD_INPUTS)
        inputs = opened(pick(inputs, SHARD_INPUTS))
        checks.check_new(session, {}, inputs, SILENT)
        caller, adopted = session.caller(inputs.get("orchestrator")), inputs.get("existing_api_keys") or {}
        members = {
            id_: EndUser(member.email, member.internal_email) for id_, member in members_of(inputs["members"]).items()
        }
        outcome = Outcome({}, inputs, plan({}, inputs))
        outcome.came({id_: self._key(caller, member, adopted.get(id_)) for id_, member in members.items()})
        return inputs["roster"], closed_outputs(outcome.outs, secret=bool(inputs.get("secret")))

    def _key(self, caller: Caller, end_user: EndUser, adopted: str | None) -> ProvisionedKey:
        """What a user gets, derived from its own address and from the one that OpenFunnel knows it by."""
        digest = hashlib.sha256(f"{end_user.email}\0{end_user.internal_email}".encode()).digest()
        key = ProvisionedKey(f"usr_{digest[24:30].hex()}", f"of_{base64.urlsafe_b64encode(digest[:24]).decode()}")
        if adopted is not None:
            key = ProvisionedKey(end_user.internal_email, checked_key(caller.settings, adopted))
        self._users[end_user.internal_email] = User(key.id, end_user.internal_email, key.api_key)
        return key


class _Mocked(Session):
    """An operation that asks nobody: what is done once an operation counts as done, as trying the provisioner key is."""

    def first(self, what: object) -> bool:  # noqa: ARG002 - whatever it is
        return False


def _session() -> Session:
    """A new one for each resource: what one test declares is nothing to the next."""
    return _Mocked(_setting, {}, SILENT)


def _setting(key: str) -> object:
    value = OFF if key == LEDGER else pulumi.runtime.get_config(key)
    return MOCKED_USER_ID if key == USER_ID and not value else value


def _members(session: Session, inputs: dict[str, Any], _name: str) -> tuple[str | None, dict[str, Any]]:
    return inputs["roster"], _checked(MembersVerbs(session).check({}, inputs))


def _checked(result: CheckResult) -> dict[str, Any]:
    """What check computed.

    Raises:
        pulumi.RunError: when it refused.
    """
    for failure in result.failures:
        raise pulumi.RunError(failure.reason)
    return result.inputs


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as a provider gets them: without the envelopes of secrets."""
    return {name: unwrap_rpc_secret(value) if is_rpc_secret(value) else value for name, value in inputs.items()}
