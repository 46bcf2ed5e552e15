"""The engine's verbs onto the use cases.

The engine stores this provider in every resource's state, pickled by reference: the module's path and the
class's name are a contract with every state ever written, and an instance holds nothing. The program imports
this module too, so whatever only the provider process needs is imported where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pulumi import contains_unknowns
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    Config,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import UNKNOWN

from . import engine
from .errors import InvalidInput, InvalidSetting, OpenFunnelError

if TYPE_CHECKING:
    from .keys import KeyState, ProvisionedKey
    from .settings import Settings

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

# The stack's config as the engine last gave it: one process serves one operation on one stack.
_config: Config | None = None
_tried: set[Settings] = set()
_key_states: dict[str, KeyState] = {}
_created: dict[str, str] = {}  # by internal email, the fingerprint of the key that this operation brought


class ProvisionedUserProvider(ResourceProvider):
    """One OpenFunnel user. The API can only create, so every other verb keeps what create brought."""

    # An instance holds nothing, so its pickle needs no encryption in the state.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the config for the verbs that need it: complaining here would break destroy, too."""
        global _config  # noqa: PLW0603 - the instance must stay empty
        _config = req.config
        engine.attach()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalize what the program gave and compute the internal email. Without olds, a create follows."""
        try:
            inputs = _normalized(_pick(news, (*USER_INPUTS, ADOPTED)))
            if contains_unknowns(inputs.get("orchestrator")):
                return CheckResult(inputs | {"internal_email": UNKNOWN}, [])
            settings = _settings(inputs)
            inputs["internal_email"] = _internal_email(inputs, settings.domain)
            if ADOPTED in inputs:
                _check_adopted(settings, inputs)
            elif not _olds:
                _check_ledger(settings, inputs)
                _preflight(settings, inputs["internal_email"])
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
        from . import provisioning

        settings = _settings(props)
        _warn_of_ledger(settings)
        user = provisioning.EndUser(props["email"], props["internal_email"])
        if props.get(ADOPTED) is not None:
            key = provisioning.adopt(settings, user, props[ADOPTED])
        else:
            key = provisioning.provision(settings, user, engine.OPERATION)
        _created[user.internal_email] = key.fingerprint
        return CreateResult(key.id, _pick(props, INPUTS) | _issued(key))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Try the user's key. What is not known leaves the state as it is, and a user never vanishes from it."""
        from .keys import REVOKED

        outs, who = _pick(props, INPUTS + ISSUED), props.get("internal_email", id_)
        key_state = _key_state(props)
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
        return ReadResult(id_, outs, _pick(props, INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the user under the new inputs, and its key, unless the program brings another one."""
        from . import keys, provisioning

        kept, moved = _pick(_olds, ISSUED), _differs("email", _olds.get("email"), _news["email"])
        user = provisioning.EndUser(_news["email"], _news["internal_email"])
        if _news.get(ADOPTED) is not None and not _same_key(_olds, _news):
            kept = _issued(provisioning.adopt(_settings(_news), user, _news[ADOPTED]))
        elif moved and _olds.get("api_key"):
            key = keys.ProvisionedKey(_id, _olds["api_key"])
            provisioning.hold(_settings(_news), user, key, moved_from=_normal_email(_olds))
        if moved:
            engine.warn(
                f"{_news['internal_email']} stood for {_olds.get('email')} and now stands for {_news['email']}: "
                "it is the same OpenFunnel user with the same key. For another user, set prefix."
            )
        return UpdateResult(_pick(_news, INPUTS) | kept)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Release the key into the ledger, and say what was not deleted: the API cannot delete.

        Within one update all creates come before all deletes.
        """
        who, fingerprint = _props.get("internal_email", _id), _props.get("key_fingerprint")
        if who in _created and _created[who] == fingerprint:
            return  # another resource of the stack stands for the same user, with the same key
        kept = _release(_id, _props)
        if who in _created:
            engine.warn(
                f"{who} existed already and got a second key: the stack now holds {_created[who]} in place of "
                f"{fingerprint} (fingerprints). Whether the first key still works, ask OpenFunnel."
            )
            return
        key = "was revoked before" if _props.get("key_status") == "revoked" else "still works"
        engine.warn(
            f"{who} was removed from the stack only: OpenFunnel's API cannot delete users, so the user lives on and its "
            f"key {key}. {kept} Ask OpenFunnel to disable it."
        )


def _settings(inputs: dict[str, Any]) -> Settings:
    """The settings of this operation, with the credentials that the inputs name.

    Raises:
        InvalidSetting: when one is missing or wrong.
    """
    from . import settings

    return settings.read(_config_value, os.environ, inputs.get("orchestrator"))


def _warn_of_ledger(settings: Settings) -> None:
    """Say, once, when keys are kept nowhere but in the state, or where they will not last."""
    from .settings import default_ledger

    if settings.ledger is None:
        engine.warn(
            "openfunnel:ledger is off: a key whose answer is lost on its way into the state, as when pulumi is killed, "
            "is lost for good."
        )
    elif os.environ.get("CI") and settings.ledger == default_ledger():
        engine.warn(
            f"The ledger is at its default place, {settings.ledger}, which goes with this CI runner, and so do the keys "
            "that are not in the state yet. Set OPENFUNNEL_LEDGER to a file that lasts."
        )


def _check_ledger(settings: Settings, inputs: dict[str, Any]) -> None:
    """Raise what the ledger would say at create; nothing is written."""
    from . import provisioning

    email, internal_email = inputs["email"], inputs["internal_email"]
    if not contains_unknowns(email) and not contains_unknowns(internal_email):
        provisioning.check_end_user(settings, provisioning.EndUser(email, internal_email))


def _release(id_: str, props: dict[str, Any]) -> str:
    """Keep a key that leaves the stack; the sentence that says where it is.

    Raises:
        LedgerUnusable: when the ledger cannot be written, so that the state had better keep the key.
    """
    from . import keys, provisioning, settings

    key = props.get("api_key")
    try:
        ledger = settings.ledger_file(_config_value, os.environ)
    except InvalidSetting as error:
        return f"The key is gone from here: {error}"
    if ledger is None or not isinstance(key, str) or not key:
        return "No ledger keeps the key."
    try:
        known = _settings(props)
    except InvalidSetting:
        known = None
    if provisioning.release(
        ledger,
        known,
        provisioning.EndUser(_normal_email(props), props.get("internal_email", id_)),
        keys.ProvisionedKey(id_, key),
        revoked=props.get("key_status") == keys.REVOKED,
    ):
        return f"The key waits in the ledger, {ledger}: the same user brings it back."
    return "The ledger did not hold the key, and without openfunnel:apiKey and openfunnel:userId it was not put there."


def _normal_email(props: dict[str, Any]) -> str:
    from . import mapping

    return str(mapping.normalize(props.get("email")) or "")


def _config_value(key: str) -> object:
    return _config.get(key) if _config is not None else None


def _pick(props: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: props[name] for name in names if props.get(name) is not None}


def _normalized(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the email in its one spelling; what is unknown passes.

    Raises:
        InvalidInput: when the email is none.
    """
    from . import mapping

    email = inputs.get("email")
    return inputs if contains_unknowns(email) else inputs | {"email": str(mapping.parse(email))}


def _internal_email(inputs: dict[str, Any], domain: str) -> Any:
    """The internal email; unknown while what it is made of is unknown.

    Raises:
        InvalidInput: when the inputs give none.
    """
    from . import mapping

    prefix, email_mapping = inputs.get("prefix"), inputs.get("email_mapping", mapping.PREFIX)
    made_of = prefix if prefix is not None else [inputs["email"], email_mapping]
    if contains_unknowns(prefix) or contains_unknowns(made_of):
        return UNKNOWN
    return mapping.internal_email(inputs["email"], domain, prefix=prefix, email_mapping=email_mapping)


def _differs(name: str, old: Any, new: Any) -> bool:
    """Whether an input's new value means something else than the old one."""
    from . import mapping

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
    from .keys import ACTIVE

    return dict(zip(ISSUED, (key.api_key, key.fingerprint, ACTIVE), strict=True))


def _check_adopted(settings: Settings, inputs: dict[str, Any]) -> None:
    """Raise InvalidInput when the key to adopt cannot be a user's."""
    from . import keys

    if not contains_unknowns(inputs[ADOPTED]):
        keys.checked_key(settings, inputs[ADOPTED])


def _preflight(settings: Settings, internal_email: Any) -> None:
    """Before the first create of some credentials, try their key, so that a refused one stops the preview.

    Raises:
        InvalidSetting: when OpenFunnel refuses the key.
    """
    from . import keys
    from .settings import API_KEY, USER_ID

    if settings in _tried:
        return
    _tried.add(settings)
    try:
        balance = keys.preflight(settings)
    except InvalidSetting as missing:
        engine.warn(f"{_shown(internal_email)} can be previewed, but not created: {missing}")
        return
    if balance.refused:
        raise InvalidSetting(
            API_KEY, f"OpenFunnel refused the provisioner key of {settings.user_id} (401). {settings.way_out(API_KEY)}"
        )
    if balance.status == 403:
        engine.warn(
            f"{_shown(internal_email)} may not be created: OpenFunnel answered 403 to the provisioner key of "
            f"{settings.user_id}. Ask OpenFunnel to enable is_provisioner on it. {settings.way_out(USER_ID)}"
        )
    if balance.accepted and balance.credits_left is not None:
        engine.info(f"OpenFunnel: {settings.domain} has {balance.credits_left:.10g} credits left.")


def _key_state(props: dict[str, Any]) -> KeyState:
    """What is known of a resource's key, asked once a process: a refresh reads everything twice."""
    from . import keys

    key = props.get("api_key")
    if not isinstance(key, str) or not key:
        return keys.KeyState(None, "the state holds no key")
    if key not in _key_states:
        try:
            _key_states[key] = keys.verify(_settings(props), key)
        except InvalidSetting as error:
            _key_states[key] = keys.KeyState(None, str(error).rstrip("."))
    return _key_states[key]


def _shown(internal_email: Any) -> str:
    return "a user" if contains_unknowns(internal_email) else str(internal_email)
