"""One end user, and its key as a secret output."""

import pulumi

import pulumi_openfunnel as openfunnel

alice = openfunnel.ProvisionedUser("cust-17", email="alice@alice-startup.com")

pulumi.export("alice_internal_email", alice.internal_email)
pulumi.export("alice_api_key", alice.api_key)
