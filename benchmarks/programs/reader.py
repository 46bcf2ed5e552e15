"""A resource that reads one user's key, as a cloud's secret would."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class ReaderProvider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("reader", props)


class Reader(Resource, module="benchmarks", name="Reader"):
    def __init__(self, name: str, api_key: pulumi.Output[str]) -> None:
        super().__init__(ReaderProvider(), name, {"key": api_key})
