"""OpenFunnel end users as Pulumi resources."""

from .resources import ProvisionedUser
from .roster import ProvisionedUsers

__all__ = ["ProvisionedUser", "ProvisionedUsers"]
