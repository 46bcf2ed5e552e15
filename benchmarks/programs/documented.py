"""A dynamic provider as Pulumi's documentation teaches it: its class stands in the program.

Pulumi's SDK nests one call deeper for each provider that it serializes (``pulumi.dynamic.serialize_provider`` wraps
``pickle._Pickler._batch_setitems`` and leaves it wrapped): some 300 resources reach Python's limit of recursion.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

if "RECURSION_LIMIT" in os.environ:
    sys.setrecursionlimit(int(os.environ["RECURSION_LIMIT"]))


class UserProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        answer = httpx.post(
            os.environ["OPENFUNNEL_BASE_URL"] + "/api/v1/admin/create-user",
            headers={"X-API-Key": os.environ["OPENFUNNEL_API_KEY"], "X-User-ID": os.environ["OPENFUNNEL_USER_ID"]},
            json={"email": props["email"]},
            timeout=60,
        )
        answer.raise_for_status()
        user = answer.json()
        return CreateResult(str(user["id"]), {**props, "api_key": user["api_key"]})


class User(Resource):
    api_key: pulumi.Output[str]

    def __init__(self, name: str, email: str) -> None:
        options = pulumi.ResourceOptions(additional_secret_outputs=["api_key"])
        super().__init__(UserProvider(), name, {"email": email, "api_key": None}, options)


for address in json.loads(Path("users.json").read_text()):
    prefix = address.partition("@")[0]
    User(prefix, f"{prefix}@orchestrator.com")
