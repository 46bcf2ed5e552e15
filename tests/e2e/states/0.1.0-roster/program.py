import pulumi

import pulumi_openfunnel as openfunnel

team = openfunnel.ProvisionedUsers(
    "team",
    emails={"cust-1": "Alice@saved-roster.com", "cust-2": "bob@bob.com", 3: "info@acme.com", "4": "info@globex.com"},
    prefixes={"3": "Acme", "4": "globex"},
)
pulumi.export("api_keys", team.api_keys)
