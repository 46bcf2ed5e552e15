"""The engine's envelope around a secret value: what a verb returns in it is encrypted in the state, whatever options say."""

from __future__ import annotations

from typing import Any

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - marks a secret, and is none


def secret(value: Any) -> Any:
    """A value as a secret; None stays None. Verbs get it back without the envelope.

    The signatures are the engine's: sdk/go/common/resource/properties.go of pulumi/pulumi.
    """
    return None if value is None else {_SIGNATURE: _SECRET, "value": value}


def secrets(props: dict[str, Any], *names: str) -> dict[str, Any]:
    """The properties, those of the names as secrets."""
    return {name: secret(value) if name in names else value for name, value in props.items()}
