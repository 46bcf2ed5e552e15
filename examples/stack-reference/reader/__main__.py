"""A customer's stack, which reads that customer's key from the stack of the users."""

import pulumi

config = pulumi.Config()
customer = config.require("customer")
users = pulumi.StackReference(config.require("users"))

# A secret there is a secret here, and so is what is made of it.
api_key = users.require_output(f"{customer}.api_key")
pulumi.export("settings", pulumi.Output.json_dumps({"openfunnel": {"apiKey": api_key}}))
pulumi.export("restarts_with", users.require_output(f"{customer}.key_fingerprint"))
