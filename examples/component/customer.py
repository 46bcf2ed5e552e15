"""A customer: its OpenFunnel user, and where its key goes."""

import pulumi
from delivery import Delivery

import pulumi_openfunnel as openfunnel


class Customer(pulumi.ComponentResource):
    """A customer, named by its id. Taking it away takes its key back from the service.

    Args:
        id_: the customer's, which names its resources as well.
        email: its address.
        service: the base URL of the service that is to have its key.
        opts: the usual resource options.
    """

    def __init__(
        self, id_: str, *, email: pulumi.Input[str], service: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("example:index:Customer", id_, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        user = openfunnel.ProvisionedUser(id_, email=email, opts=child)
        Delivery(id_, url=f"{service}/customers/{id_}", key=user.api_key, fingerprint=user.key_fingerprint, opts=child)
        self.internal_email = user.internal_email
        self.register_outputs({"internal_email": self.internal_email})
