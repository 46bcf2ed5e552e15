"""OpenFunnel end users as Pulumi resources."""

from .program.roster import ProvisionedUsers
from .program.user import ProvisionedUser

__all__ = ["ProvisionedUser", "ProvisionedUsers"]
