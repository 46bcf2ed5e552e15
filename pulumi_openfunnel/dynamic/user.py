"""The engine's verbs onto the use cases.

The engine stores this provider in every resource's state, pickled by reference: the module's path and the
class's name are a contract with every state ever written, and an instance holds nothing. The program imports
this module too, so whatever only the provider process needs is imported where it is used.
"""

from __future__ import annotations

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

from ..errors import InvalidInput, OpenFunnelError
from . import process as engine
from . import session as stack

if TYPE_CHECKING:
    from ..provisioning.verify import ProvisionedKey
    from ..settings import Settings

USER_INPUTS = ("email", "prefix", "email_mapping", "orchestrator")
"""What the program gives, but for the key of a user that is adopted."""

INPUTS = (*USER_INPUTS, "internal_email")
"""The same with what check computes: what a diff compares, and what outputs repeat."""

ADOPTED = "existing_api_key"
"""The input that is never an output."""

REPLACING = frozenset({"internal_email", "orchestrator"})
"""What makes another user."""

ISSUED = ("api_key", "key_fingerprint", "key_status")
"""What create brings and every later verb keeps."""


class ProvisionedUserProvider(ResourceProvider):
    """One OpenFunnel user. The API can only create, so every other verb keeps what create brought."""

    # An instance holds nothing, so its pickle needs no encryption in the state.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the config for the verbs that need it: complaining here would break destroy, too."""
        stack.configure(req.config)
        engine.attach()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalize what the program gave and compute the internal email. Without olds, a create follows."""
        try:
            inputs = _normalized(stack.pick(news, (*USER_INPUTS, ADOPTED)))
            if contains_unknowns(inputs.get("orchestrator")):
                return CheckResult(inputs | {"internal_email": UNKNOWN}, [])
            settings = stack.settings_of(inputs)
            inputs["internal_email"] = _internal_email(inputs, settings.domain)
            if ADOPTED in inputs:
                _check_adopted(settings, inputs)
            elif not _olds:
                stack.check_ledger(settings, inputs)
                stack.preflight(settings, inputs["internal_email"])
        except OpenFunnelError as error:
            # Without a property: of one that it is told, the engine prints the value, whatever it holds.
            return CheckResult({}, [CheckFailure("", str(error))])
        return CheckResult(inputs, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what a user can change, and nothing else: no upgrade or rotation is ever a change.

        Raises:
            InvalidInput: when the key of one user would become another's.
        """
        changed = [name for name in INPUTS if _differs(name, _olds.get(name), _news.get(name))]
        if "internal_email" in changed and _same_key(_olds, _news) and not contains_unknowns(_news["internal_email"]):
            raise InvalidInput(
                ADOPTED,
                f"existing_api_key is the key of {_olds.get('internal_email')} and cannot become that of "
                f"{_news['internal_email']}. Pass the other user's key, or take the argument away.",
            )
        if ADOPTED in _news and not _same_key(_olds, _news):
            changed.append(ADOPTED)
        return DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name in REPLACING],
            delete_before_replace=False,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """The user's key: the program's, the ledger's, or OpenFunnel's answer."""
        from ..provisioning import create as provisioning

        settings = stack.settings_of(props)
        stack.warn_of_ledger(settings)
        user = provisioning.EndUser(props["email"], props["internal_email"])
        if props.get(ADOPTED) is not None:
            key = provisioning.adopt(settings, user, props[ADOPTED])
        else:
            key = provisioning.provision(settings, user, engine.OPERATION)
        stack.created[user.internal_email] = key.fingerprint
        return CreateResult(key.id, stack.pick(props, INPUTS) | _issued(key))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Try the user's key. What is not known leaves the state as it is, and a user never vanishes from it."""
        from ..provisioning.verify import REVOKED

        outs, who = stack.pick(props, INPUTS + ISSUED), props.get("internal_email", id_)
        key_state = stack.key_state(props)
        if key_state.status is None:
            engine.warn(
                f"{who}: whether its key still works is not known: {key_state.problem}. The state stays as it was."
            )
        else:
            outs["key_status"] = key_state.status
        if key_state.status == REVOKED:
            engine.warn(
                f"{who}: its key was revoked: OpenFunnel refuses it, and accepts yours. Get a new one from OpenFunnel and "
                "pass it as existing_api_key."
            )
        return ReadResult(id_, outs, stack.pick(props, INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the user under the new inputs, and its key, unless the program brings another one."""
        from ..provisioning import create as provisioning
        from ..provisioning import verify as keys

        kept, moved = stack.pick(_olds, ISSUED), _differs("email", _olds.get("email"), _news["email"])
        user = provisioning.EndUser(_news["email"], _news["internal_email"])
        if _news.get(ADOPTED) is not None and not _same_key(_olds, _news):
            kept = _issued(provisioning.adopt(stack.settings_of(_news), user, _news[ADOPTED]))
        elif moved and _olds.get("api_key"):
            key = keys.ProvisionedKey(_id, _olds["api_key"])
            provisioning.hold(stack.settings_of(_news), user, key, moved_from=stack.normal_email(_olds))
        if moved:
            engine.warn(
                f"{_news['internal_email']} stood for {_olds.get('email')} and now stands for {_news['email']}: "
                "it is the same OpenFunnel user with the same key. For another user, set prefix."
            )
        return UpdateResult(stack.pick(_news, INPUTS) | kept)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Release the key into the ledger, and say what was not deleted: the API cannot delete.

        Within one update all creates come before all deletes.
        """
        who, fingerprint = _props.get("internal_email", _id), _props.get("key_fingerprint")
        if stack.stands_elsewhere(who, fingerprint):
            return
        kept = stack.release(_id, _props)
        if who in stack.created:
            engine.warn(
                f"{who} existed already and got a second key: the stack now holds {stack.created[who]} in place of "
                f"{fingerprint} (fingerprints). Whether the first key still works, ask OpenFunnel."
            )
            return
        key = "was revoked before" if _props.get("key_status") == "revoked" else "still works"
        engine.warn(
            f"{who} was removed from the stack only: OpenFunnel's API cannot delete users, so the user lives on and its "
            f"key {key}. {kept} Ask OpenFunnel to disable it."
        )


def _normalized(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the email in its one spelling; what is unknown passes.

    Raises:
        InvalidInput: when the email is none.
    """
    from .. import emails as mapping

    email = inputs.get("email")
    return inputs if contains_unknowns(email) else inputs | {"email": str(mapping.parse(email))}


def _internal_email(inputs: dict[str, Any], domain: str) -> Any:
    """The internal email; unknown while what it is made of is unknown.

    Raises:
        InvalidInput: when the inputs give none.
    """
    from .. import emails as mapping

    prefix, email_mapping = inputs.get("prefix"), inputs.get("email_mapping", mapping.PREFIX)
    made_of = prefix if prefix is not None else [inputs["email"], email_mapping]
    if contains_unknowns(prefix) or contains_unknowns(made_of):
        return UNKNOWN
    return mapping.internal_email(inputs["email"], domain, prefix=prefix, email_mapping=email_mapping)


def _differs(name: str, old: Any, new: Any) -> bool:
    """Whether an input's new value means something else than the old one."""
    from .. import emails as mapping

    if contains_unknowns(new):
        return True
    if name == "orchestrator":
        return bool(old != new)
    if name == "email":
        return mapping.normalize(old) != mapping.normalize(new)
    if name == "email_mapping":
        return (old or mapping.PREFIX) != (new or mapping.PREFIX)
    return bool(_spelling(old) != _spelling(new))


def _spelling(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _same_key(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether the program passes the key that is stored already."""
    key = news.get(ADOPTED)
    return isinstance(key, str) and key.strip() == olds.get("api_key")


def _issued(key: ProvisionedKey) -> dict[str, Any]:
    """The outputs that a key brings, in the order of ISSUED."""
    from ..provisioning.verify import ACTIVE

    return dict(zip(ISSUED, (key.api_key, key.fingerprint, ACTIVE), strict=True))


def _check_adopted(settings: Settings, inputs: dict[str, Any]) -> None:
    """Raise InvalidInput when the key to adopt cannot be a user's."""
    from ..provisioning import verify as keys

    if not contains_unknowns(inputs[ADOPTED]):
        keys.checked_key(settings, inputs[ADOPTED])
