"""The engine's verbs onto one user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import UNKNOWN

from .. import emails
from ..errors import InvalidInput, OpenFunnelError, ProvisioningError
from ..operation import Operation, under_name
from ..provisioning import preflight, refusals, release, users, verify
from ..provisioning.connections import Caller
from ..provisioning.keys import ACTIVE, EndUser, Held, ProvisionedKey, brings_another_key, fingerprint
from ..provisioning.session import Session
from ..schema import ADOPTED, INPUTS, ISSUED, REPLACING, SHOWN_AS, USER_INPUTS, pick
from .envelope import secrets
from .process import Verbs

_KEPT = (*INPUTS, SHOWN_AS)
_HIDDEN = ("email", "prefix", "internal_email")


class UserVerbs(Verbs):
    """Each verb of a ``ProvisionedUser``.

    Args:
        session: the operation.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalize what the program gave and compute the internal email. Without olds, a create follows."""
        inputs = pick(news, (*USER_INPUTS, ADOPTED, SHOWN_AS))
        try:
            with _named(inputs):
                inputs = self._checked(olds, inputs)
        except OpenFunnelError as error:
            # Without a property: of one that it is told, the engine prints the value, whatever it holds.
            return CheckResult({}, [CheckFailure("", str(error))])
        return CheckResult(_enveloped(inputs), [])

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what a user can change, and nothing else: no upgrade or rotation is ever a change.

        Raises:
            InvalidInput: when the key of one user would become another's.
        """
        with _named(olds):
            self._remember(id, olds, news)
        changed = [name for name in INPUTS if _differs(name, olds.get(name), news.get(name))]
        another_key = brings_another_key(_held(id, olds), news.get(ADOPTED))
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
        caller = self._caller(props)
        preflight.warn_of_ledger(self._session, caller)
        with _named(props):
            key = users.get_key(self._session, caller, _end_user(props), props.get(ADOPTED))
        return CreateResult(key.id, created(props, key))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Try the user's key. What is not known leaves the state as it is, and a user never vanishes from it."""
        seen = users.seen(self._session, _held(id, props), self._operation(props))
        outs = pick(pick(props, _KEPT + ISSUED) | {"key_status": seen.status}, _KEPT + ISSUED)
        return ReadResult(id, _enveloped(outs), _enveloped(pick(props, _KEPT)))

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep the user under the new inputs, and its key, unless the program brings another one."""
        held, issued, caller = _held(id, olds), pick(olds, ISSUED), self._caller(news)
        with _named(news):
            if brings_another_key(held, news.get(ADOPTED)):
                issued = _issued(users.get_key(self._session, caller, _end_user(news), news[ADOPTED]))
            else:
                users.keep(caller, held, news["email"])
        if held.user.email != news["email"]:
            users.warn_of_move(caller.operation, held, news["email"])
        return UpdateResult(_enveloped(pick(news, _KEPT) | issued))

    def delete(self, id: str, props: dict[str, Any]) -> None:
        """Release the key; there is nothing to call."""
        release.let_go(self._session, _held(id, props), self._operation(props))

    def _remember(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        """What the engine shows of a user: whom it stood for, and that its end user has another address now."""
        held, memory = _held(id, olds), self._session.memory
        memory.stood_for(held.user, held.fingerprint)
        if not contains_unknowns(news) and news.get("internal_email") == held.user.internal_email:
            memory.moves(held.user.internal_email, held.user.email, _end_user(news).email)

    def _declare(self, olds: dict[str, Any], inputs: dict[str, Any], adopted: Any) -> None:
        """What the program declares: a user, and perhaps its key."""
        memory, user = self._session.memory, _end_user(inputs)
        if olds.get("internal_email"):
            before = _end_user(olds)
            memory.stood_for(before)
            if before.internal_email == user.internal_email:
                memory.moves(user.internal_email, before.email, user.email)
        memory.declare(user)
        if isinstance(adopted, str):
            memory.declare_key(user, fingerprint(adopted))

    def _operation(self, props: dict[str, Any]) -> Operation:
        """Who runs this; a user whose address is a secret is called by its resource's name."""
        operation, name = self._session.operation, props.get(SHOWN_AS)
        return operation if name is None else under_name(operation, str(props.get("internal_email")), name)

    def _caller(self, props: dict[str, Any]) -> Caller:
        return self._session.caller(props.get("orchestrator"), self._operation(props))

    def _checked(self, olds: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        email = inputs.get("email")
        if not contains_unknowns(email):
            inputs["email"] = str(emails.parse(email))
        if contains_unknowns(inputs.get("orchestrator")):
            return inputs | {"internal_email": UNKNOWN}
        caller = self._caller(inputs)
        inputs["internal_email"] = _internal_email(inputs, caller.settings.domain)
        adopted = inputs.get(ADOPTED)
        if adopted is not None and not contains_unknowns(adopted):
            adopted = verify.checked_key(caller.settings, adopted)
        known = not contains_unknowns([email, inputs["internal_email"]])
        if known:
            self._declare(olds, inputs, adopted)
        if adopted is None and not olds:
            self._check_new(caller, inputs, known=known)
        return inputs

    def _check_new(self, caller: Caller, inputs: dict[str, Any], *, known: bool) -> None:
        """Raise what would fail at create, as far as it is known."""
        if known:
            preflight.look_into_ledger(self._session, caller, [_end_user(inputs)])
        who = inputs["internal_email"] if known else "a user"
        preflight.try_provisioner_key(self._session, caller, inputs.get(SHOWN_AS) or who)


def created(props: dict[str, Any], key: ProvisionedKey) -> dict[str, Any]:
    """The outputs of a user whose key was got.

    Args:
        props: the inputs, as check gave them.
        key: the user's.
    """
    return _enveloped(pick(props, _KEPT) | _issued(key))


@contextlib.contextmanager
def _named(props: dict[str, Any]) -> Iterator[None]:
    """Where the address is a secret, errors call the user by its resource's name and show no address."""
    try:
        yield
    except OpenFunnelError as error:
        name = props.get(SHOWN_AS)
        if name is None:
            raise
        if isinstance(error, InvalidInput) and error.property in _HIDDEN:
            raise InvalidInput(error.property, f"{name}: its address cannot be used.", error.advice) from None
        if isinstance(error, ProvisioningError):
            error.call_user(name)
        raise


def _enveloped(props: dict[str, Any]) -> dict[str, Any]:
    """The properties, the secret ones in the engine's envelope."""
    hidden = _HIDDEN if props.get(SHOWN_AS) is not None else ()
    return secrets(props, "api_key", ADOPTED, *hidden)


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
