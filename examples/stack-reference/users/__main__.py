"""OpenFunnel users in a stack of their own: the only one that holds the provisioner key."""

import pulumi

import pulumi_openfunnel as openfunnel

users = {
    id_: openfunnel.ProvisionedUser(id_, email=email)
    for id_, email in pulumi.Config().require_object("customers").items()
}

# An output a customer: a stack that reads one of them sees a change of that one alone.
for id_, user in users.items():
    pulumi.export(f"{id_}.api_key", user.api_key)
    pulumi.export(f"{id_}.key_fingerprint", user.key_fingerprint)
