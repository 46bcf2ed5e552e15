"""What the program declares, apart from where its config comes from: so that tests can declare it, too."""

from collections.abc import Mapping

import pulumi

import pulumi_openfunnel as openfunnel


def settings_of(id_: str, email: str) -> pulumi.Output[str]:
    """An enterprise customer, and the line that its service reads its key from.

    Args:
        id_: the customer's, which stands before the @ of its internal email as well.
        email: its address.
    """
    user = openfunnel.ProvisionedUser(id_, email=email, prefix=id_)
    return pulumi.Output.concat("OPENFUNNEL_API_KEY=", user.api_key)


def roster_of(customers: Mapping[str, str]) -> openfunnel.ProvisionedUsers:
    """All other customers, by their ids."""
    return openfunnel.ProvisionedUsers("customers", emails=customers)
