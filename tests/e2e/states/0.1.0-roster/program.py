import pulumi

import pulumi_openfunnel as openfunnel

team = openfunnel.ProvisionedUsers(
    "team",
    emails=["Alice@saved-roster.com", "bob@bob.com", "info@acme.com", "info@globex.com"],
    prefixes={"info@acme.com": "Acme", "info@globex.com": "globex"},
)
pulumi.export("api_keys", team.api_keys)
