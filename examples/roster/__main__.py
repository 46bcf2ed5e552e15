"""Many users from a CSV file, their keys delivered as one document."""

import csv
import io
from pathlib import Path

import pulumi

import pulumi_openfunnel as openfunnel

COLUMNS = ("id", "email", "prefix")


def read(path: Path) -> dict[str, dict[str, str]]:
    """The customers by id, from a file as Excel writes it: a byte order mark, commas or semicolons, empty rows."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    header = [name.strip().lower() for name in next(rows, [])]
    if missing := [name for name in COLUMNS if name not in header]:
        raise pulumi.RunError(f"{path.name} has no column {', '.join(missing)}.")
    customers: dict[str, dict[str, str]] = {}
    for row in rows:
        customer = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        if not any(customer.values()):
            continue
        if not customer["id"] or customer["id"] in customers:
            problem = f"the id {customer['id']} is there twice" if customer["id"] else "there is no id"
            raise pulumi.RunError(f"{path.name}, line {rows.line_num}: {problem}.")
        customers[customer["id"]] = customer
    return customers


customers = read(Path(__file__).parent / (pulumi.Config().get("customers") or "customers.csv"))
team = openfunnel.ProvisionedUsers(
    "customers",
    emails={id_: customer["email"] for id_, customer in customers.items()},
    prefixes={id_: customer["prefix"] for id_, customer in customers.items() if customer["prefix"]},
)

pulumi.export("users", team.users)
# One secret document. Instead of a stack output it may be the content of one cloud secret, such as
# aws.secretsmanager.SecretVersion("keys", secret_id=..., secret_string=document).
document = pulumi.Output.json_dumps(team.api_keys)
pulumi.export("document", document)
