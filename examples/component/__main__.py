"""Each customer as one component: its OpenFunnel user, and the delivery of its key to a service of our own."""

import pulumi
from customer import Customer

config = pulumi.Config()

for id_, email in config.require_object("customers").items():
    customer = Customer(id_, email=email, service=config.require("service"))
    pulumi.export(f"{id_}.internal_email", customer.internal_email)
