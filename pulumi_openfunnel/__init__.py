"""OpenFunnel end users as Pulumi resources."""

from .resources import ProvisionedUser

__all__ = ["ProvisionedUser"]
