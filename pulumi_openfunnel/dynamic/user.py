"""The engine's verbs onto one user."""

from __future__ import annotations

from typing import Any

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import UNKNOWN

from .. import emails
from ..errors import OpenFunnelError
from ..provisioning import preflight, refusals, release, users, verify
from ..provisioning.keys import ACTIVE, EndUser, Held, ProvisionedKey
from ..provisioning.ownership import check_end_user
from ..schema import ADOPTED, INPUTS, ISSUED, REPLACING, USER_INPUTS, pick
from .process import Process, Verbs


class UserVerbs(Verbs):
    """Each verb of a ``ProvisionedUser``.

    Args:
        process: the provider process.
    """

    def __init__(self, process: Process) -> None:
        self._session = process.session

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalize what the program gave and compute the internal email. Without olds, a create follows."""
        try:
            return CheckResult(self._checked(pick(news, (*USER_INPUTS, ADOPTED)), creates=not olds), [])
        except OpenFunnelError as error:
            # Without a property: of one that it is told, the engine prints the value, whatever it holds.
            return CheckResult({}, [CheckFailure("", str(error))])

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what a user can change, and nothing else: no upgrade or rotation is ever a change.

        Raises:
            InvalidInput: when the key of one user would become another's.
        """
        changed = [name for name in INPUTS if _differs(name, olds.get(name), news.get(name))]
        another_key = users.brings_another_key(_held(id, olds), news.get(ADOPTED))
        if "internal_email" in changed and news.get(ADOPTED) is not None and not another_key:
            _refuse_same_key(olds, news)
        if another_key:
            changed.append(ADOPTED)
        return DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name in REPLACING],
            delete_before_replace=False,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Get the user's key."""
        caller = self._session.caller(props.get("orchestrator"))
        preflight.warn_of_ledger(self._session, caller)
        key = users.get_key(self._session, caller, _end_user(props), props.get(ADOPTED))
        return CreateResult(key.id, pick(props, INPUTS) | _issued(key))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Try the user's key. What is not known leaves the state as it is, and a user never vanishes from it."""
        seen = users.seen(self._session, _held(id, props))
        outs = pick(props, INPUTS + ISSUED) | {"key_status": seen.status}
        return ReadResult(id, pick(outs, outs), pick(props, INPUTS))

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep the user under the new inputs, and its key, unless the program brings another one."""
        held, issued = _held(id, olds), pick(olds, ISSUED)
        caller = self._session.caller(news.get("orchestrator"))
        if users.brings_another_key(held, news.get(ADOPTED)):
            issued = _issued(users.get_key(self._session, caller, _end_user(news), news[ADOPTED]))
        else:
            users.keep(caller, held, news["email"])
        if held.user.email != news["email"]:
            users.warn_of_move(self._session.operation, held, news["email"])
        return UpdateResult(pick(news, INPUTS) | issued)

    def delete(self, id: str, props: dict[str, Any]) -> None:
        """Release the key; there is nothing to call."""
        release.let_go(self._session, _held(id, props))

    def _checked(self, inputs: dict[str, Any], *, creates: bool) -> dict[str, Any]:
        email = inputs.get("email")
        if not contains_unknowns(email):
            inputs["email"] = str(emails.parse(email))
        if contains_unknowns(inputs.get("orchestrator")):
            return inputs | {"internal_email": UNKNOWN}
        caller = self._session.caller(inputs.get("orchestrator"))
        inputs["internal_email"] = _internal_email(inputs, caller.settings.domain)
        if ADOPTED in inputs:
            if not contains_unknowns(inputs[ADOPTED]):
                verify.checked_key(caller.settings, inputs[ADOPTED])
        elif creates:
            if not contains_unknowns([email, inputs["internal_email"]]):
                check_end_user(caller, _end_user(inputs))
            who = "a user" if contains_unknowns(inputs["internal_email"]) else inputs["internal_email"]
            preflight.try_provisioner_key(self._session, caller, who)
        return inputs


def _internal_email(inputs: dict[str, Any], domain: str) -> Any:
    """The internal email; unknown while what it is made of is unknown.

    Raises:
        InvalidInput: when the inputs give none.
    """
    prefix, email_mapping = inputs.get("prefix"), inputs.get("email_mapping", emails.PREFIX)
    made_of = prefix if prefix is not None else [inputs["email"], email_mapping]
    if contains_unknowns(prefix) or contains_unknowns(made_of):
        return UNKNOWN
    return emails.internal_email(inputs["email"], domain, prefix=prefix, email_mapping=email_mapping)


def _differs(name: str, old: Any, new: Any) -> bool:
    """Whether an input's new value means something else than the old one."""
    if contains_unknowns(new):
        return True
    if name == "orchestrator":
        return bool(old != new)
    if name == "email":
        return emails.normalize(old) != emails.normalize(new)
    if name == "email_mapping":
        return (old or emails.PREFIX) != (new or emails.PREFIX)
    return bool(_spelling(old) != _spelling(new))


def _spelling(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _refuse_same_key(olds: dict[str, Any], news: dict[str, Any]) -> None:
    if not contains_unknowns(news["internal_email"]):
        raise refusals.anothers_existing_key(olds.get("internal_email"), news["internal_email"])


def _end_user(props: dict[str, Any]) -> EndUser:
    return EndUser(str(emails.normalize(props.get("email")) or ""), props["internal_email"])


def _held(id: str, props: dict[str, Any]) -> Held:
    """The user as a state's properties hold it."""
    api_key = props.get("api_key")
    return Held(
        user=_end_user({"internal_email": id} | props),
        id=id,
        api_key=api_key if isinstance(api_key, str) and api_key else None,
        fingerprint=props.get("key_fingerprint"),
        status=props.get("key_status"),
        orchestrator=props.get("orchestrator"),
    )


def _issued(key: ProvisionedKey) -> dict[str, Any]:
    """The outputs that a key brings, in the order of ISSUED."""
    return dict(zip(ISSUED, (key.api_key, key.fingerprint, ACTIVE), strict=True))
