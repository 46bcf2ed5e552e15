"""OpenFunnel end users as Pulumi resources."""

from typing import TYPE_CHECKING, Any

from .program.user import ProvisionedUser

if TYPE_CHECKING:
    from .program.roster import ProvisionedUsers

__all__ = ["ProvisionedUser", "ProvisionedUsers"]


def __getattr__(name: str) -> Any:
    """Rosters, loaded by the programs that have one (PEP 562)."""
    if name != "ProvisionedUsers":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .program.roster import ProvisionedUsers

    return ProvisionedUsers
