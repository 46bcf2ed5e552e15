"""The leanest provider with a ProvisionedUser's properties and names, so that its state is as large."""

from __future__ import annotations

from typing import Any

import pulumi
from leanest_provider import client
from pulumi.dynamic import CheckResult, CreateResult, Resource, ResourceProvider


class ProvisionedUserProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        return CheckResult(news | {"internal_email": f"{news['email'].partition('@')[0]}@orchestrator.com"}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        answer = client().post("/api/v1/admin/create-user", json={"email": props["internal_email"]})
        answer.raise_for_status()
        user = answer.json()
        kept = {"email": props["email"], "internal_email": props["internal_email"], "api_key": user["api_key"]}
        return CreateResult(str(user["id"]), kept | {"key_fingerprint": "0123456789abcdef", "key_status": "active"})


class ProvisionedUser(Resource, module="openfunnel", name="ProvisionedUser"):
    api_key: pulumi.Output[str]

    def __init__(self, name: str, email: str) -> None:
        outputs = dict.fromkeys(("internal_email", "api_key", "key_fingerprint", "key_status"))
        options = pulumi.ResourceOptions(additional_secret_outputs=["api_key", "existing_api_key"])
        super().__init__(ProvisionedUserProvider(), name, {"email": email, **outputs}, options)
