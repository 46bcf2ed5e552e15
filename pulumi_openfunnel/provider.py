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
from .errors import OpenFunnelError

if TYPE_CHECKING:
    from .settings import Settings

USER_INPUTS = ("email", "prefix", "email_mapping")
"""What the program gives."""

INPUTS = (*USER_INPUTS, "internal_email")
"""The same with what check computes: what a diff compares."""

REPLACING = frozenset({"internal_email"})
"""Of these, what makes another user."""

ISSUED = ("api_key", "key_fingerprint", "key_status")
"""What create brings and every later verb keeps."""

# The stack's config as the engine last gave it: one process serves one operation on one stack.
_config: Config | None = None


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
            inputs = _normalized(_pick(news, USER_INPUTS))
            settings = _settings()
            inputs["internal_email"] = _internal_email(inputs, settings.domain)
        except OpenFunnelError as error:
            # Without a property: of one that it is told, the engine prints the value, whatever it holds.
            return CheckResult({}, [CheckFailure("", str(error))])
        if not _olds and settings.api_key is None:
            _warn_without_key(inputs["internal_email"])
        return CheckResult(inputs, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what a user can change, and nothing else: no upgrade or rotation is ever a change."""
        changed = [name for name in INPUTS if _differs(name, _olds.get(name), _news.get(name))]
        return DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name in REPLACING],
            delete_before_replace=False,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Ask OpenFunnel for the user, once."""
        from . import provisioning

        key = provisioning.provision(_settings(), props["internal_email"])
        outs = _pick(props, INPUTS) | {
            "api_key": key.api_key,
            "key_fingerprint": key.fingerprint,
            "key_status": provisioning.ACTIVE,
        }
        return CreateResult(key.id, outs)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The state as it is: the API cannot read a user, and a refresh never forgets one."""
        return ReadResult(id_, _pick(props, INPUTS + ISSUED), _pick(props, INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the user and the key under the new inputs."""
        if _olds.get("email") != _news["email"]:
            engine.warn(
                f"{_news['internal_email']} stood for {_olds.get('email')} and now stands for {_news['email']}: "
                "it is the same OpenFunnel user with the same key. For another user, set prefix."
            )
        return UpdateResult(_pick(_news, INPUTS) | _pick(_olds, ISSUED))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Say that nothing was deleted: the API cannot."""
        engine.warn(
            f"{_props.get('internal_email', _id)} was removed from the stack only: OpenFunnel's API cannot delete "
            "users, so the user lives on and its key still works. Ask OpenFunnel to disable it."
        )


def _settings() -> Settings:
    """The settings of this operation.

    Raises:
        InvalidSetting: when one is missing or wrong.
    """
    from . import settings

    return settings.read(_config.get if _config is not None else lambda _key: None, os.environ)


def _pick(props: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: props[name] for name in names if props.get(name) is not None}


def _normalized(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the email in its one spelling; what is unknown passes.

    Raises:
        InvalidAddress: when the email is none.
    """
    from . import mapping

    email = inputs.get("email")
    return inputs if contains_unknowns(email) else inputs | {"email": str(mapping.parse(email))}


def _internal_email(inputs: dict[str, Any], domain: str) -> Any:
    """The internal email; unknown while what it is made of is unknown.

    Raises:
        InvalidAddress: when the inputs give none.
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
    if name == "email":
        return mapping.normalize(old) != mapping.normalize(new)
    if name == "email_mapping":
        return (old or mapping.PREFIX) != (new or mapping.PREFIX)
    return bool(_spelling(old) != _spelling(new))


def _spelling(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _warn_without_key(internal_email: Any) -> None:
    from . import settings

    who = "a user" if contains_unknowns(internal_email) else internal_email
    engine.warn(f"{who} can be previewed, but not created: {settings.unset(settings.API_KEY)}", once=settings.API_KEY)
