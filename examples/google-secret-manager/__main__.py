"""A secret of Google Secret Manager for each customer."""

import hashlib
import re

import pulumi
import pulumi_gcp as gcp

import pulumi_openfunnel as openfunnel

config = pulumi.Config()


def secret_id(id_: str) -> str:
    """The customer's id where Google takes it; else what it takes of it, told apart by a digest behind an underscore."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,200}", id_):
        return f"openfunnel-{id_}"
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16]
    return f"openfunnel-{re.sub('[^A-Za-z0-9]+', '-', id_)[:60]}_{digest}"


for id_, email in config.require_object("customers").items():
    user = openfunnel.ProvisionedUser(id_, email=email)
    secret = gcp.secretmanager.Secret(
        id_,
        secret_id=secret_id(id_),
        replication=gcp.secretmanager.SecretReplicationArgs(auto=gcp.secretmanager.SecretReplicationAutoArgs()),
    )
    gcp.secretmanager.SecretVersion(id_, secret=secret.id, secret_data=user.api_key)
