"""What a shard's create, read, update and delete do for its members."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import (
    CredentialsRefused,
    InvalidSetting,
    LedgerUnusable,
    NotAProvisioner,
    OpenFunnelError,
    ProvisioningError,
)
from ..ledger.turns import Busy
from ..operation import Operation, under_name
from ..provisioning import preflight, release, users
from ..provisioning.connections import Caller
from ..provisioning.keys import EndUser, Failed, ProvisionedKey
from .envelope import secrets
from .process import Process
from .shard_state import Outcome, Plan, applied, closed, held, opened, plan


class ShardWork:
    """The work on a shard's members: what fails for one of them is kept beside what succeeded for the others.

    Args:
        process: the provider process.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._session = process.session
        self._many = process.many

    def seen(self, props: dict[str, Any]) -> dict[str, Any]:
        """The outputs, with each key's status as it is now."""
        outs = opened(props)
        with self._process.summary.verb():
            outs["users"] = self._session.of_each(outs["users"], lambda id_: self._seen(id_, outs))
        return _closed_outputs(outs, secret=bool(outs.get("secret")))

    def let_go(self, props: dict[str, Any]) -> None:
        """Release every key."""
        props = opened(props)
        if props.get("users"):
            with self._process.summary.verb():
                for id_ in props["users"]:
                    self._let_go(id_, props)

    def settled(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """The outputs: what the old ones hold already, what could be got of the rest; without those that left.

        Args:
            olds: the old outputs, as they are in the state.
            news: the new inputs.
        """
        with self._process.summary.verb():
            return self._settled(applied(news), opened(olds), opened(news))

    def _settled(self, digest: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        planned = plan(olds, news)
        outcome = Outcome(olds, news, planned)
        caller = self._caller(news)
        moved = self._session.of_each(planned.moved, lambda id_: self._kept(caller, olds, news, planned, id_))
        outcome.moved(moved)
        outcome.came(self._came(caller, news, planned.missing))
        for id_ in outcome.leaving:
            try:
                self._let_go(id_, olds)
            except LedgerUnusable as error:
                outcome.stays(id_, f"stays in the state, which keeps its key: {error}")
        tried = {"engine": sys.argv[-1], "users": len(planned.missing)}
        done = {} if outcome.outs["failed"] else {"applied": digest}
        return _closed_outputs(outcome.outs | {"tried": tried} | done, secret=bool(news.get("secret")))

    def _caller(self, news: dict[str, Any]) -> Caller | InvalidSetting:
        """Who asks, or why nobody can: the same for everybody."""
        try:
            caller = self._session.caller(news.get("orchestrator"), self._many)
            preflight.warn_of_ledger(self._session, caller)
        except InvalidSetting as error:
            return error
        return caller

    def _kept(
        self, caller: Caller | InvalidSetting, olds: dict[str, Any], news: dict[str, Any], planned: Plan, id_: str
    ) -> Failed | None:
        """Keep the user and key of a member whose address changed; why it could not be."""
        old, email = held(planned.same[id_], olds), news["members"][id_]["email"]
        try:
            if isinstance(caller, InvalidSetting):
                raise caller
            users.keep(caller, old, email)
        except OpenFunnelError as error:
            return _failed(error, news, id_)
        users.warn_of_move(self._operation(news, "members", id_), old, email)
        return None

    def _let_go(self, id_: str, props: dict[str, Any]) -> None:
        release.let_go(self._session, held(id_, props), self._operation(props, "users", id_))

    def _operation(self, props: dict[str, Any], document: str, id_: str) -> Operation:
        """Who runs this for one member, which is called by its id where addresses are secret."""
        if not props.get("secret"):
            return self._many
        member = props[document][id_]
        return under_name(self._many, member["internal_email"], _shown(id_, member, props))

    def _came(
        self, caller: Caller | InvalidSetting, news: dict[str, Any], ids: list[str]
    ) -> dict[str, ProvisionedKey | Failed]:
        """Each member's key, or why there is none. Those that another run is creating are waited for without a thread."""
        came: dict[str, ProvisionedKey | Failed] = {}
        until: float | None = None
        while ids:
            got = self._session.of_each(ids, lambda id_: self._got(caller, news, id_))
            busy = {id_: key for id_, key in got.items() if isinstance(key, Busy)}
            came |= {id_: key for id_, key in got.items() if not isinstance(key, Busy)}
            if not busy or isinstance(caller, InvalidSetting):
                break
            until = until or time.monotonic() + caller.settings.timeout
            ids, failed = self._waited(caller, news, busy, until)
            came |= failed
        return came

    def _waited(
        self, caller: Caller, news: dict[str, Any], busy: dict[str, Busy], until: float
    ) -> tuple[list[str], dict[str, Failed]]:
        """The members to begin again, once there are some; or why none of them can be."""
        by_user = {news["members"][id_]["internal_email"]: id_ for id_ in busy}
        try:
            over = users.wait_for({who: busy[id_] for who, id_ in by_user.items()}, caller, until)
        except OpenFunnelError as error:
            return [], {id_: _failed(error, news, id_) for id_ in busy}
        waiting = [id_ for who, id_ in by_user.items() if who not in over]
        return [by_user[who] for who in over] + waiting, {}

    def _got(self, caller: Caller | InvalidSetting, news: dict[str, Any], id_: str) -> ProvisionedKey | Busy | Failed:
        key = self._attempt(caller, news, id_)
        if not isinstance(key, Busy):
            self._process.summary.settled(news["roster"], failed=isinstance(key, Failed))
        return key

    def _attempt(
        self, caller: Caller | InvalidSetting, news: dict[str, Any], id_: str
    ) -> ProvisionedKey | Busy | Failed:
        try:
            return self._get(caller, news, id_)
        except OpenFunnelError as error:
            return _failed(error, news, id_)
        except Exception as error:  # noqa: BLE001 - shown; the others' keys are not to be lost with it
            self._session.operation.warn(id_, traceback.format_exc())
            return Failed(f"{type(error).__name__}: a defect of pulumi-openfunnel, see the warning.")

    def _get(self, caller: Caller | InvalidSetting, news: dict[str, Any], id_: str) -> ProvisionedKey | Busy | Failed:
        if isinstance(caller, InvalidSetting):
            raise caller
        member = news["members"][id_]
        user = EndUser(member["email"], member["internal_email"])
        existing_api_key, refused = (news.get("existing_api_keys") or {}).get(id_), self._session.refused
        if existing_api_key is None and caller.settings in refused:
            return Failed(refused[caller.settings])
        try:
            member_caller = replace(caller, operation=self._operation(news, "members", id_))
            return users.try_to_get_key(self._session, member_caller, user, existing_api_key)
        except (CredentialsRefused, NotAProvisioner) as error:
            if error.is_general and caller.settings not in self._session.connections.accepted:
                refused[caller.settings] = error.reason
            raise

    def _seen(self, id_: str, props: dict[str, Any]) -> dict[str, str]:
        """A user with its key's status as it is now."""
        user: dict[str, str] = props["users"][id_]
        seen = users.seen(self._session, held(id_, props), self._operation(props, "users", id_))
        return user if seen.status is None else user | {"key_status": seen.status}


def _failed(error: OpenFunnelError, news: Mapping[str, Any], id_: str) -> Failed:
    """Why a member's key could not be got; where addresses are secret, without one."""
    if not isinstance(error, ProvisioningError):
        return Failed(str(error))
    if news.get("secret"):
        error.call_user(_shown(id_, news["members"][id_], news))
    return Failed(error.reason)


def _shown(id_: str, member: Mapping[str, Any], props: Mapping[str, Any]) -> str:
    """What messages call a member whose address is a secret: its id, when that is not the address."""
    return f"a member of {props['roster']}" if member["email"] == id_ else id_


def _closed_outputs(outs: dict[str, Any], *, secret: bool) -> dict[str, Any]:
    outs = secrets(closed(outs), "api_keys")
    return secrets(outs, "users", "failed") | {"secret": True} if secret else outs
