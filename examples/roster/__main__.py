"""Many users from a CSV file, their keys delivered as one document."""

import csv
from pathlib import Path

import pulumi

import pulumi_openfunnel as openfunnel

path = Path(__file__).parent / (pulumi.Config().get("customers") or "customers.csv")
customers = list(csv.DictReader(path.open(newline="")))

team = openfunnel.ProvisionedUsers(
    "customers",
    emails=[customer["email"] for customer in customers],
    prefixes={customer["email"]: customer["prefix"] for customer in customers if customer["prefix"]},
)

pulumi.export("users", team.users)
# One secret document. Instead of a stack output it may be the content of one cloud secret, such as
# aws.secretsmanager.SecretVersion("keys", secret_id=..., secret_string=document).
document = pulumi.Output.json_dumps(team.api_keys)
pulumi.export("document", document)
