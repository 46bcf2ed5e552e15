"""The engine's verbs onto many users at once: a shard of a roster.

The path of this module and the name of the class are in every state, as those of ``provider`` are.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi import contains_unknowns
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import UNKNOWN

from .. import schema as documents
from ..errors import (
    CredentialsRefused,
    InvalidSetting,
    LedgerUnusable,
    NotAProvisioner,
    OpenFunnelError,
    ProvisioningError,
)
from . import checks
from . import process as engine
from . import session as stack
from . import summary as tally

if TYPE_CHECKING:
    from ..provisioning.verify import ProvisionedKey
    from ..settings import Settings

INPUTS = ("roster", "emails", "prefixes", "existing_api_keys", "email_mapping", "orchestrator", "internal_emails")
"""What the roster gives, and what check computes: ``internal_emails``, by email."""

OUTPUTS = ("users", "api_keys", "failed", "tried", "roster", "orchestrator")
"""``users``, ``api_keys`` (secret) and ``failed`` are by email; ``tried`` tells when a verb got keys last, in seconds since
the epoch (``at``), and of how many ``users``."""

# More than there are requests in flight, so that one user's writing does not keep another one's request waiting.
_pool = ThreadPoolExecutor(48, thread_name_prefix="openfunnel")
_FINGERPRINT = re.compile(r" \([0-9a-f]{16}\)")
_refused: dict[Settings, str] = {}  # what concerns all users of the same credentials


class ShardProvider(ResourceProvider):
    """Some of a roster's users: what fails for one of them is kept beside what succeeded for the others."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the config."""
        stack.configure(req.config)
        engine.attach()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Check every address; compute the internal emails."""
        inputs, olds = documents.opened(stack.pick(news, INPUTS)), documents.opened(_olds)
        if any(contains_unknowns(inputs.get(name)) for name in ("emails", "prefixes", "email_mapping", "orchestrator")):
            return CheckResult(documents.closed(inputs | {"internal_emails": UNKNOWN}), [])
        try:
            settings = stack.settings_of(inputs)
            inputs["internal_emails"] = checks.internal_emails(inputs, settings.domain)
            checks.check_new(settings, olds.get("internal_emails") or {}, inputs)
        except OpenFunnelError as error:
            return CheckResult({}, [CheckFailure("", str(error))])
        return CheckResult(documents.closed(inputs), [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare users by what they are, not by how the roster spells them; those that failed are tried again."""
        olds, news = documents.opened(_olds), documents.opened(_news)
        if olds.get("failed") and not contains_unknowns(_news):
            checks.check_retried(olds["failed"], news)
        replaces = ["orchestrator"] if olds.get("orchestrator") != news.get("orchestrator") else []
        changes = bool(replaces) or contains_unknowns(_news) or bool(olds.get("failed")) or _moves(olds, news)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Get every user's key."""
        with tally.verb():
            return CreateResult(props["roster"], documents.closed(_provisioned({}, documents.opened(props))))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Try every user's key; what is not known leaves the state as it is."""
        stack.refreshes = True
        outs = documents.opened(props)
        with tally.verb():
            outs["users"] = _by_email(outs["users"], lambda email: _seen(email, outs))
        internal_emails = {email: user["internal_email"] for email, user in outs["users"].items()}
        inputs = {"emails": sorted(internal_emails), "internal_emails": internal_emails}
        inputs |= stack.pick(props, ("roster", "orchestrator"))
        return ReadResult(id_, documents.closed(outs), documents.closed(inputs))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Get the keys of users that are new or failed before; forget those that left."""
        olds, news = documents.opened(_olds), documents.opened(_news)
        with tally.verb():
            outs = _provisioned(olds, news)
            for email, user in olds["users"].items():
                if outs["users"].get(email, {}).get("internal_email") != user["internal_email"]:
                    _let_go(email, olds, outs)
            return UpdateResult(documents.closed(outs))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Release every key into the ledger."""
        props = documents.opened(_props)
        with tally.verb():
            for email in props.get("users") or {}:
                _release(email, props)


def _gathered(severity: str) -> Callable[[str], None]:
    """Says what a use case says of one user, once, of all the users that it is true of."""

    def gather(message: str) -> None:
        who, _, rest = message.partition(": ")
        tally.gather(severity, "", who, f": {_FINGERPRINT.sub('', rest)}")

    return gather


_OPERATION = replace(engine.OPERATION, warn=_gathered("WARNING"), info=_gathered("INFO"), gives_up=True)


def _moves(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether users come or go, or get another key."""
    have = {email: user["internal_email"] for email, user in olds["users"].items()}
    adopted = news.get("existing_api_keys") or {}
    return have != news["internal_emails"] or any(_brings(email, olds, adopted) for email in adopted)


def _brings(email: str, olds: dict[str, Any], adopted: dict[str, str]) -> bool:
    """Whether the program brings another key than the one that is stored."""
    return email in adopted and adopted[email].strip() != (olds.get("api_keys") or {}).get(email)


def _provisioned(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """The outputs: what the old ones hold already, and what could be got of the rest."""
    from ..provisioning.verify import ProvisionedKey

    users, api_keys = olds.get("users") or {}, olds.get("api_keys") or {}
    adopted, wanted = news.get("existing_api_keys") or {}, news["internal_emails"]
    missing = {
        email: internal_email
        for email, internal_email in wanted.items()
        if users.get(email, {}).get("internal_email") != internal_email or _brings(email, olds, adopted)
    }
    came = _by_email(missing, _getting(news))
    outs: dict[str, Any] = {
        "users": {},
        "api_keys": {},
        "failed": {},
        "tried": {"at": time.time(), "users": len(missing)},
    }
    for email in wanted:
        key = came.get(email)
        if isinstance(key, str):
            outs["failed"][email] = f"{key} The user and key that were there before stay." if email in users else key
        if isinstance(key, ProvisionedKey):
            outs["users"][email], outs["api_keys"][email] = _user(missing[email], key), key.api_key
        elif email in users:
            outs["users"][email], outs["api_keys"][email] = users[email], api_keys[email]
    return outs | stack.pick(news, ("roster", "orchestrator"))


def _getting(news: dict[str, Any]) -> Callable[[str], ProvisionedKey | str]:
    """How one user's key, or the reason why there is none, is got."""
    settings: Settings | InvalidSetting
    try:
        settings = stack.settings_of(news)
        stack.warn_of_ledger(settings)
    except InvalidSetting as error:
        settings = error  # the same for everybody

    def get(email: str) -> ProvisionedKey | str:
        key: ProvisionedKey | str
        try:
            key = _asked(settings, news, email)
        except ProvisioningError as error:
            key = error.reason
        except OpenFunnelError as error:
            key = str(error)
        except Exception as error:  # noqa: BLE001 - told of; the others' keys are not to be lost with it
            engine.warn(f"{email}: {traceback.format_exc()}")
            key = f"{type(error).__name__}: a defect of pulumi-openfunnel, see the warning."
        tally.settled(news["roster"], failed=isinstance(key, str))
        return key

    return get


def _asked(settings: Settings | InvalidSetting, news: dict[str, Any], email: str) -> ProvisionedKey | str:
    from ..provisioning import create as provisioning

    if isinstance(settings, InvalidSetting):
        raise settings
    user = provisioning.EndUser(email, news["internal_emails"][email])
    adopted = news.get("existing_api_keys") or {}
    if email in adopted:
        key = provisioning.adopt(settings, user, adopted[email])
    elif settings in _refused:
        return _refused[settings]
    else:
        try:
            key = provisioning.provision(settings, user, _OPERATION)
        except (CredentialsRefused, NotAProvisioner) as error:
            if len(error.args) == 1:  # nothing is said of this user alone
                _refused[settings] = error.reason
            raise
    stack.created[user.internal_email] = key.fingerprint
    return key


def _user(internal_email: str, key: ProvisionedKey) -> dict[str, str]:
    from ..provisioning.verify import ACTIVE

    return {
        "id": key.id,
        "internal_email": internal_email,
        "key_fingerprint": key.fingerprint,
        "key_status": ACTIVE,
    }


def _seen(email: str, props: dict[str, Any]) -> dict[str, str]:
    """A user with its key's status as it is now."""
    from ..provisioning.verify import REVOKED

    user: dict[str, str] = props["users"][email]
    state = stack.key_state(_of_one(email, props))
    if state.status is None:
        behind = f": whether their keys still work is not known: {state.problem}. The state stays as it was."
        tally.gather("WARNING", "", user["internal_email"], behind)
        return user
    if state.status == REVOKED:
        behind = (
            ": their keys were revoked: OpenFunnel refuses them, and accepts yours. Get new ones from OpenFunnel and pass "
            "them as existing_api_keys."
        )
        tally.gather("WARNING", "", user["internal_email"], behind)
    return user | {"key_status": state.status}


def _let_go(email: str, olds: dict[str, Any], outs: dict[str, Any]) -> None:
    """Release a user that the roster lost, or has under another internal email now.

    One whose key the ledger does not take stays in the state; what came in its place waits in the ledger.
    """
    try:
        _release(email, olds)
    except LedgerUnusable as error:
        outs["users"][email], outs["api_keys"][email] = olds["users"][email], olds["api_keys"].get(email)
        who = olds["users"][email]["internal_email"]
        outs["failed"][email] = f"{who} stays in the state, which keeps its key: {error}"


def _release(email: str, props: dict[str, Any]) -> None:
    user = props["users"][email]
    if stack.stands_elsewhere(user["internal_email"], user["key_fingerprint"]):
        return
    kept = stack.release(user["id"], _of_one(email, props))
    lives = "though their keys were revoked before" if user["key_status"] == "revoked" else "and so do their keys"
    tally.gather(
        "WARNING",
        "Removed from the stack only, because OpenFunnel's API cannot delete users: ",
        user["internal_email"],
        f". They live on, {lives}. {kept} Ask OpenFunnel to disable them.",
    )


def _of_one(email: str, props: dict[str, Any]) -> dict[str, Any]:
    """One user as the properties of a resource of its own."""
    one: dict[str, Any] = props["users"][email] | {"email": email, "api_key": props["api_keys"].get(email)}
    return one | stack.pick(props, ("orchestrator",))


def _by_email(emails: dict[str, Any], work: Callable[[str], Any]) -> dict[str, Any]:
    """The work's result for each email, by the threads that all shards share."""
    running: dict[str, Future[Any]] = {email: _pool.submit(work, email) for email in emails}
    return {email: future.result() for email, future in running.items()}
