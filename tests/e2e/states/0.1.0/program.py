import pulumi

import pulumi_openfunnel as openfunnel

alice = openfunnel.ProvisionedUser("alice", email="alice@saved-state.com", prefix="saved-alice")
openfunnel.ProvisionedUser("bob", email="bob@bob.com", prefix="Saved-Bob")
openfunnel.ProvisionedUser("carol", email="Carol@saved-state.com", email_mapping="subaddress")
pulumi.export("api_key", alice.api_key)
