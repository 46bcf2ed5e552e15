"""The engine's verbs onto many users at once: a shard of a roster."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import UNKNOWN

from ..errors import (
    CredentialsRefused,
    InvalidSetting,
    LedgerUnusable,
    NotAProvisioner,
    OpenFunnelError,
    ProvisioningError,
)
from ..provisioning import preflight, release, users
from ..provisioning.connections import Caller
from ..provisioning.keys import ACTIVE, EndUser, Failed, Held, ProvisionedKey
from ..schema import DOCUMENTS, SHARD_INPUTS, dump, load, pick
from . import checks
from .process import Process, Verbs


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
        """Check every address; compute the internal emails."""
        inputs = opened(pick(news, SHARD_INPUTS))
        if any(contains_unknowns(inputs.get(name)) for name in ("emails", "prefixes", "email_mapping", "orchestrator")):
            return CheckResult(closed(inputs | {"internal_emails": UNKNOWN}), [])
        try:
            caller = self._caller(inputs)
            inputs["internal_emails"] = checks.internal_emails(inputs, caller.settings.domain)
            checks.check_new(self._session, caller, opened(olds).get("internal_emails") or {}, inputs)
        except OpenFunnelError as error:
            return CheckResult({}, [CheckFailure("", str(error))])
        return CheckResult(closed(inputs), [])

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:  # noqa: ARG002 - the engine's
        """Compare users by what they are, not by how the roster spells them; those that failed are tried again."""
        olds, news = opened(olds), opened(news)
        if olds.get("failed") and not contains_unknowns(news):
            checks.check_retried(self._session, olds["failed"], news)
        replaces = ["orchestrator"] if olds.get("orchestrator") != news.get("orchestrator") else []
        changes = bool(replaces) or contains_unknowns(news) or bool(olds.get("failed")) or _moves(olds, news)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Get every user's key."""
        with self._process.summary.verb():
            return CreateResult(props["roster"], closed(self._provisioned({}, opened(props))))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Try every user's key; what is not known leaves the state as it is."""
        self._session.refreshes = True
        outs = opened(props)
        with self._process.summary.verb():
            outs["users"] = self._session.of_each(outs["users"], lambda email: self._seen(email, outs))
        internal_emails = {email: user["internal_email"] for email, user in outs["users"].items()}
        inputs = {"emails": sorted(internal_emails), "internal_emails": internal_emails}
        inputs |= pick(props, ("roster", "orchestrator"))
        return ReadResult(id, closed(outs), closed(inputs))

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:  # noqa: ARG002 - the engine's
        """Get the keys of users that are new or failed before; forget those that left."""
        olds, news = opened(olds), opened(news)
        with self._process.summary.verb():
            outs = self._provisioned(olds, news)
            for email, user in olds["users"].items():
                if outs["users"].get(email, {}).get("internal_email") != user["internal_email"]:
                    self._let_go(email, olds, outs)
            return UpdateResult(closed(outs))

    def delete(self, id: str, props: dict[str, Any]) -> None:  # noqa: ARG002 - the engine's
        """Release every key into the ledger."""
        props = opened(props)
        with self._process.summary.verb():
            for email in props.get("users") or {}:
                release.let_go(self._session, _held(email, props), self._many)

    def _caller(self, inputs: dict[str, Any]) -> Caller:
        return self._session.caller(inputs.get("orchestrator"), self._many)

    def _provisioned(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """The outputs: what the old ones hold already, and what could be got of the rest."""
        users_, api_keys, wanted = olds.get("users") or {}, olds.get("api_keys") or {}, news["internal_emails"]
        missing = [
            email
            for email, internal_email in wanted.items()
            if users_.get(email, {}).get("internal_email") != internal_email or _brings(email, olds, news)
        ]
        came = self._session.of_each(missing, self._getting(news))
        outs: dict[str, Any] = {"users": {}, "api_keys": {}, "failed": {}}
        outs["tried"] = {"at": time.time(), "users": len(missing)}
        for email in wanted:
            key = came.get(email)
            if isinstance(key, Failed):
                stays = " The user and key that were there before stay." if email in users_ else ""
                outs["failed"][email] = f"{key.reason}{stays}"
            if isinstance(key, ProvisionedKey):
                outs["users"][email], outs["api_keys"][email] = _user(wanted[email], key), key.api_key
            elif email in users_:
                outs["users"][email], outs["api_keys"][email] = users_[email], api_keys[email]
        return outs | pick(news, ("roster", "orchestrator"))

    def _getting(self, news: dict[str, Any]) -> Callable[[str], ProvisionedKey | Failed]:
        """How one user's key, or the reason why there is none, is got."""
        caller: Caller | InvalidSetting
        try:
            caller = self._caller(news)
            preflight.warn_of_ledger(self._session, caller)
        except InvalidSetting as error:
            caller = error  # the same for everybody

        def get(email: str) -> ProvisionedKey | Failed:
            key = self._got(caller, news, email)
            self._process.summary.settled(news["roster"], failed=isinstance(key, Failed))
            return key

        return get

    def _got(self, caller: Caller | InvalidSetting, news: dict[str, Any], email: str) -> ProvisionedKey | Failed:
        try:
            return self._get(caller, news, email)
        except ProvisioningError as error:
            return Failed(error.reason)
        except OpenFunnelError as error:
            return Failed(str(error))
        except Exception as error:  # noqa: BLE001 - shown; the others' keys are not to be lost with it
            self._session.operation.warn(email, traceback.format_exc())
            return Failed(f"{type(error).__name__}: a defect of pulumi-openfunnel, see the warning.")

    def _get(self, caller: Caller | InvalidSetting, news: dict[str, Any], email: str) -> ProvisionedKey | Failed:
        if isinstance(caller, InvalidSetting):
            raise caller
        user = EndUser(email, news["internal_emails"][email])
        existing_api_key, refused = (news.get("existing_api_keys") or {}).get(email), self._session.refused
        if existing_api_key is None and caller.settings in refused:
            return Failed(refused[caller.settings])
        try:
            return users.get_key(self._session, caller, user, existing_api_key)
        except (CredentialsRefused, NotAProvisioner) as error:
            if error.is_general:
                refused[caller.settings] = error.reason
            raise

    def _seen(self, email: str, props: dict[str, Any]) -> dict[str, str]:
        """A user with its key's status as it is now."""
        user: dict[str, str] = props["users"][email]
        seen = users.seen(self._session, _held(email, props), self._many)
        return user if seen.status is None else user | {"key_status": seen.status}

    def _let_go(self, email: str, olds: dict[str, Any], outs: dict[str, Any]) -> None:
        """Release a user that the roster lost, or has under another internal email now.

        One whose key the ledger does not take stays in the state; what came in its place waits in the ledger.
        """
        try:
            release.let_go(self._session, _held(email, olds), self._many)
        except LedgerUnusable as error:
            outs["users"][email], outs["api_keys"][email] = olds["users"][email], olds["api_keys"].get(email)
            outs["failed"][email] = f"stays in the state, which keeps its key: {error}"


def opened(props: dict[str, Any]) -> dict[str, Any]:
    """A shard's properties with the documents' values; what is unknown stays so."""
    return {name: load(value) if name in DOCUMENTS else value for name, value in props.items()}


def closed(props: dict[str, Any]) -> dict[str, Any]:
    """The same, the other way round."""
    return {
        name: dump(value) if name in DOCUMENTS and not contains_unknowns(value) else value
        for name, value in props.items()
    }


def _moves(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether users come or go, or get another key."""
    have = {email: user["internal_email"] for email, user in olds["users"].items()}
    return have != news["internal_emails"] or any(_brings(email, olds, news) for email in have)


def _brings(email: str, olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether the program brings another key than the one that is stored."""
    existing_api_key = (news.get("existing_api_keys") or {}).get(email)
    stored = email in (olds.get("users") or {})
    return stored and users.brings_another_key(_held(email, olds), existing_api_key)


def _held(email: str, props: dict[str, Any]) -> Held:
    """One user as the state holds it."""
    user = props["users"][email]
    return Held(
        user=EndUser(email, user["internal_email"]),
        id=user["id"],
        api_key=(props.get("api_keys") or {}).get(email),
        fingerprint=user.get("key_fingerprint"),
        status=user.get("key_status"),
        orchestrator=props.get("orchestrator"),
    )


def _user(internal_email: str, key: ProvisionedKey) -> dict[str, str]:
    return {
        "id": key.id,
        "internal_email": internal_email,
        "key_fingerprint": key.fingerprint,
        "key_status": ACTIVE,
    }
