"""A key that is handed to a service of our own: put there, put there again when it is another one, taken back."""

import json
import urllib.request
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

_TIMEOUT = 30  # seconds


class _Provider(ResourceProvider):
    """Tells a delivery by its fingerprint, so that the state of this resource needs no second copy of the key."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        _ask("PUT", props["url"], {"openfunnel_api_key": props["key"]})
        return CreateResult(props["url"], _outputs(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        replaces = ["url"] if olds["url"] != news["url"] else []
        return DiffResult(changes=_outputs(olds) != _outputs(news), replaces=replaces)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _ask("PUT", news["url"], {"openfunnel_api_key": news["key"]})
        return UpdateResult(_outputs(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        _ask("DELETE", props["url"], None)


class Delivery(Resource, module="example", name="Delivery"):
    """A key at a service.

    Args:
        name: the resource's.
        url: where the key is put.
        key: the key, a secret.
        fingerprint: of the key: another one is another delivery.
        opts: the usual resource options.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str,
        key: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"url": url, "key": pulumi.Output.secret(key), "fingerprint": fingerprint}
        super().__init__(_Provider(), name, props, opts)


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in ("url", "fingerprint")}


def _ask(method: str, url: str, body: dict[str, str] | None) -> None:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310 - the program's own service
