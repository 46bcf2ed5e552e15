"""The leanest provider's class, in a module of its own: the state holds its name instead of its code."""

from __future__ import annotations

import functools
import os
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


@functools.cache
def client() -> Any:
    """One client for all users; only the provider's process imports it."""
    import httpx

    return httpx.Client(
        base_url=os.environ["OPENFUNNEL_BASE_URL"],
        headers={"X-API-Key": os.environ["OPENFUNNEL_API_KEY"], "X-User-ID": os.environ["OPENFUNNEL_USER_ID"]},
        timeout=60,
    )


class UserProvider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        answer = client().post("/api/v1/admin/create-user", json={"email": props["email"]})
        answer.raise_for_status()
        user = answer.json()
        return CreateResult(str(user["id"]), {"api_key": user["api_key"]})


class User(Resource):
    api_key: pulumi.Output[str]

    def __init__(self, name: str, email: str) -> None:
        options = pulumi.ResourceOptions(additional_secret_outputs=["api_key"])
        super().__init__(UserProvider(), name, {"email": email, "api_key": None}, options)
