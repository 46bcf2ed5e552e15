"""A GitHub Actions secret for each customer, in one repository."""

import hashlib
import re

import pulumi
import pulumi_github as github

import pulumi_openfunnel as openfunnel

config = pulumi.Config()
repository = config.require("repository")


def secret_name(id_: str) -> str:
    """``OPENFUNNEL_`` and the customer's id: in capitals where that tells it from every other one, else with a digest.

    GitHub takes letters, digits and underscores, does not tell small letters from capitals, and refuses names that start
    with ``GITHUB_`` or a digit. Two underscores come before a digest alone.
    """
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id_) and len(id_) <= 60:
        return "OPENFUNNEL_" + id_.upper().replace("-", "_")
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16].upper()
    readable = re.sub("[^A-Z0-9]+", "_", id_.upper())[:40].strip("_")
    return f"OPENFUNNEL_{readable}__{digest}"


for id_, email in config.require_object("customers").items():
    user = openfunnel.ProvisionedUser(id_, email=email)
    github.ActionsSecret(id_, repository=repository, secret_name=secret_name(id_), value=user.api_key)
