"""Azure Blob Storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import LedgerUnusable
from ...places import AzurePlace
from ..extras import quiet

if TYPE_CHECKING:
    from obstore.store import AzureStore

_DOMAIN = "blob.core.windows.net"
_NATIVE = ("AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_STORAGE_TOKEN")
"""Any of them gives credentials that obstore finds by itself."""


def azure(place: AzurePlace, client: dict[str, Any], environ: Mapping[str, str]) -> AzureStore:
    """Open the container.

    Raises:
        LedgerUnusable: when no storage account is named.
    """
    from obstore.store import AzureStore

    connection = _connection(environ)
    account = place.account or environ.get("AZURE_STORAGE_ACCOUNT") or connection.get("AccountName")
    if not account:
        way_out = "Add ?storage_account=… to the URL, or set AZURE_STORAGE_ACCOUNT."
        raise LedgerUnusable(place, "names no storage account", way_out)
    config: dict[str, Any] = {"account_name": account, "endpoint": _endpoint(place, account, connection, environ)}
    key = environ.get("AZURE_STORAGE_KEY")
    sas = environ.get("AZURE_STORAGE_SAS_TOKEN") or connection.get("SharedAccessSignature")
    if key or (not sas and connection.get("AccountKey")):
        config["account_key"] = key or connection["AccountKey"]
    elif sas:
        config["sas_key"] = sas.removeprefix("?")
    arguments: dict[str, Any] = {"prefix": place.prefix or None, "config": config, **client}
    provider = None if sas or "account_key" in config or any(map(environ.get, _NATIVE)) else _provider()
    if provider is not None:
        arguments["credential_provider"] = provider
    return AzureStore(place.container, **arguments)


def _connection(environ: Mapping[str, str]) -> dict[str, str]:
    """The parts of a connection string, such as ``AccountName=…;AccountKey=…``."""
    text = environ.get("AZURE_STORAGE_CONNECTION_STRING") or environ.get("AZURE_STORAGEBLOB_CONNECTIONSTRING") or ""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(";")) if value}


def _endpoint(place: AzurePlace, account: str, connection: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The account's URL, by gocloud.dev's rules."""
    if not place.domain and connection.get("BlobEndpoint"):
        return connection["BlobEndpoint"].removesuffix("/")
    suffix = connection.get("EndpointSuffix")
    domain = place.domain or environ.get("AZURE_STORAGE_DOMAIN") or (suffix and f"blob.{suffix}") or _DOMAIN
    protocol = place.protocol or environ.get("AZURE_STORAGE_PROTOCOL") or connection.get("DefaultEndpointsProtocol")
    emulator = _flag(place.emulator, environ.get("AZURE_STORAGE_IS_LOCAL_EMULATOR"))
    if emulator or domain.startswith(("127.0.0.1", "localhost")):
        return f"{protocol or 'https'}://{domain}/{account}"
    if _flag(place.cdn, environ.get("AZURE_STORAGE_IS_CDN")):
        return f"{protocol or 'https'}://{domain}"
    return f"{protocol or 'https'}://{account}.{domain}"


def _flag(given: bool | None, variable: str | None) -> bool:  # noqa: FBT001 - a value of the URL's
    return given if given is not None else (variable or "").lower() in ("1", "t", "true")


def _provider() -> Any:
    """What asks for credentials as Pulumi does, where its library is installed; else obstore looks by itself."""
    try:
        from obstore.auth.azure import AzureCredentialProvider
    except ImportError:
        return None
    quiet("azure")
    return AzureCredentialProvider()
