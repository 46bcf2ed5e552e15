"""What all verbs of one operation share: one provider process serves one operation on one stack."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pulumi import contains_unknowns
from pulumi.dynamic import Config

from ..errors import InvalidSetting
from . import process as engine

if TYPE_CHECKING:
    from ..provisioning.verify import KeyState
    from ..settings import Settings

created: dict[str, str] = {}
"""By internal email, the fingerprint of the key that this operation brought."""

refreshes = False
"""Whether this operation has read resources, as a refresh does before anything else."""

# The stack's config as the engine last gave it; the providers' instances must stay empty.
_config: Config | None = None
_tried: set[Settings] = set()
_key_states: dict[str, KeyState] = {}


def configure(config: Config) -> None:
    """Keep the config for the verbs that need it: complaining here would break destroy, too."""
    global _config  # noqa: PLW0603 - one operation a process
    _config = config


def settings_of(inputs: dict[str, Any]) -> Settings:
    """The settings of this operation, with the credentials that the inputs name.

    Raises:
        InvalidSetting: when one is missing or wrong.
    """
    from .. import settings

    return settings.read(_config_value, os.environ, inputs.get("orchestrator"))


def warn_of_ledger(settings: Settings) -> None:
    """Say, once, when keys are kept nowhere but in the state, or where they will not last."""
    from ..settings import default_ledger

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


def check_ledger(settings: Settings, inputs: dict[str, Any]) -> None:
    """Raise what the ledger would say at create; nothing is written."""
    from ..provisioning import create as provisioning

    email, internal_email = inputs["email"], inputs["internal_email"]
    if not contains_unknowns(email) and not contains_unknowns(internal_email):
        provisioning.check_end_user(settings, provisioning.EndUser(email, internal_email))


def stands_elsewhere(internal_email: str, fingerprint: object) -> bool:
    """Whether another resource of the stack stands for the same user now, with the same key."""
    return internal_email in created and created[internal_email] == fingerprint


def release(id_: str, props: dict[str, Any]) -> str:
    """Keep a key that leaves the stack; the sentence that says where it is.

    Raises:
        LedgerUnusable: when the ledger cannot be written, so that the state had better keep the key.
    """
    from .. import settings
    from ..provisioning import create as provisioning
    from ..provisioning import verify as keys

    key = props.get("api_key")
    try:
        ledger = settings.ledger_file(_config_value, os.environ)
    except InvalidSetting as error:
        return f"The key is gone from here: {error}"
    if ledger is None or not isinstance(key, str) or not key:
        return "No ledger keeps the key."
    try:
        known = settings_of(props)
    except InvalidSetting:
        known = None
    user = provisioning.EndUser(normal_email(props), props.get("internal_email", id_))
    revoked = props.get("key_status") == keys.REVOKED
    if provisioning.release(ledger, known, user, keys.ProvisionedKey(id_, key), revoked=revoked):
        if revoked:
            return f"The ledger, {ledger}, keeps the key as a dead one."
        return f"The key waits in the ledger, {ledger}: the same user brings it back."
    return "The ledger did not hold the key, and without openfunnel:apiKey and openfunnel:userId it was not put there."


def normal_email(props: dict[str, Any]) -> str:
    from .. import emails as mapping

    return str(mapping.normalize(props.get("email")) or "")


def preflight(settings: Settings, internal_email: Any) -> None:
    """Before the first create of some credentials, try their key, so that a refused one stops the preview.

    Raises:
        InvalidSetting: when OpenFunnel refuses the key.
    """
    from ..provisioning import verify as keys
    from ..settings import API_KEY, USER_ID

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


def key_state(props: dict[str, Any]) -> KeyState:
    """What is known of a resource's key, asked once a process: a refresh reads everything twice."""
    from ..provisioning import verify as keys

    key = props.get("api_key")
    if not isinstance(key, str) or not key:
        return keys.KeyState(None, "the state holds no key")
    if key not in _key_states:
        try:
            _key_states[key] = keys.verify(settings_of(props), key, gives_up=True)
        except InvalidSetting as error:
            _key_states[key] = keys.KeyState(None, str(error).rstrip("."))
    return _key_states[key]


def pick(props: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: props[name] for name in names if props.get(name) is not None}


def _config_value(key: str) -> object:
    return _config.get(key) if _config is not None else None


def _shown(internal_email: Any) -> str:
    return "a user" if contains_unknowns(internal_email) else str(internal_email)
