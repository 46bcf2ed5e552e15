"""Users that were created before Pulumi came, by a script or by hand: take them over with their keys."""

import pulumi

import pulumi_openfunnel as openfunnel

config = pulumi.Config()

for name, email in config.require_object("users").items():
    user = openfunnel.ProvisionedUser(name, email=email, existing_api_key=config.get_secret(f"{name}Key"))
    pulumi.export(f"{name}_fingerprint", user.key_fingerprint)
    pulumi.export(f"{name}_api_key", user.api_key)
