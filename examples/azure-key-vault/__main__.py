"""A secret of Azure Key Vault for each customer."""

import hashlib
import re

import pulumi
import pulumi_azure_native as azure

import pulumi_openfunnel as openfunnel

config = pulumi.Config()


def secret_name(id_: str) -> str:
    """The customer's id where it can be told from every other one; else with a digest, which two hyphens come before.

    Azure takes letters, digits and hyphens, 127 of them, and does not tell small letters from capitals.
    """
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id_) and len(id_) <= 100:
        return f"openfunnel-{id_}"
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16]
    return f"openfunnel-{re.sub('[^a-z0-9]+', '-', id_.lower())[:60].strip('-')}--{digest}"


for id_, email in config.require_object("customers").items():
    user = openfunnel.ProvisionedUser(id_, email=email)
    azure.keyvault.Secret(
        id_,
        resource_group_name=config.require("resourceGroup"),
        vault_name=config.require("vault"),
        secret_name=secret_name(id_),
        # This SDK marks no property as secret. The key is one by itself; what the provider echoes of it is told here.
        properties=azure.keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(user.api_key)),
        opts=pulumi.ResourceOptions(additional_secret_outputs=["properties"]),
    )
