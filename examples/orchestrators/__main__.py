"""Customers of several orchestrators: each user is created with, and billed to, the credits of its own."""

import pulumi

import pulumi_openfunnel as openfunnel

for id_, customer in pulumi.Config().require_object("customers").items():
    user = openfunnel.ProvisionedUser(id_, email=customer["email"], orchestrator=customer.get("orchestrator"))
    pulumi.export(f"{id_}.internal_email", user.internal_email)
    pulumi.export(f"{id_}.api_key", user.api_key)
