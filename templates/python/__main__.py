"""The customers of customers.csv as OpenFunnel users, each with a key of its own."""

import csv
from pathlib import Path

import pulumi

import pulumi_openfunnel as openfunnel

with (Path(__file__).parent / "customers.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))

emails = {row["id"]: row["email"] for row in rows}
if len(emails) < len(rows):
    raise pulumi.RunError("customers.csv has an id twice. Give each customer an id of its own.")

customers = openfunnel.ProvisionedUsers("customers", emails=emails)

pulumi.export("users", customers.users)
pulumi.export("api_keys", customers.api_keys)  # a secret
