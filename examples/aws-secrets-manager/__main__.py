"""A secret for each enterprise customer; the many self-service customers' keys in documents of less than 64 KiB."""

import csv
import hashlib
import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pulumi
import pulumi_aws as aws

import pulumi_openfunnel as openfunnel

DOCUMENTS = 32  # so many for ever: with another number, members move between documents
LIMIT = 65_536  # bytes of a secret's value in AWS

config = pulumi.Config()


def secret_name(id_: str) -> str:
    """The customer's id where AWS takes it; else what it takes of it, told apart by a digest behind an underscore."""
    if re.fullmatch(r"[A-Za-z0-9+=.@-]{1,400}", id_):
        return f"openfunnel/{id_}"
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16]
    return f"openfunnel/{re.sub('[^A-Za-z0-9]+', '-', id_)[:60]}_{digest}"


def document_of(id_: str) -> int:
    """The document that holds a member's key: by its id alone, so that a newcomer moves nobody."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4], "big") % DOCUMENTS


def document(number: int, keys: Mapping[str, str]) -> str:
    """The keys as a document, unless AWS would refuse it."""
    found = json.dumps(keys)
    size = len(found.encode())
    if size > LIMIT:
        raise pulumi.RunError(f"document {number} has {size} bytes, of at most {LIMIT}. Raise DOCUMENTS.")
    return found


def secret(name: str, path: str, value: pulumi.Output[str]) -> None:
    """A secret and its value. Deleted at once: the key is in the ledger, and the name may be needed again."""
    made = aws.secretsmanager.Secret(name, name=path, recovery_window_in_days=0)
    aws.secretsmanager.SecretVersion(name, secret_id=made.id, secret_string=value)


for id_, email in (config.get_object("enterprise") or {}).items():
    user = openfunnel.ProvisionedUser(id_, email=email)
    secret(id_, secret_name(id_), user.api_key)

with (Path(__file__).parent / (config.get("selfService") or "self-service.csv")).open(newline="") as file:
    customers = {row["id"]: row["email"] for row in csv.DictReader(file)}

team = openfunnel.ProvisionedUsers("self-service", emails=customers)
for number in sorted({document_of(id_) for id_ in team}):
    keys = {id_: team[id_].api_key for id_ in sorted(team) if document_of(id_) == number}
    value = pulumi.Output.all(**keys).apply(partial(document, number))
    secret(f"keys-{number:02}", f"openfunnel/self-service/{number:02}", value)
