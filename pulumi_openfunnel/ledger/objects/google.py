"""Google Cloud Storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import LedgerUnusable
from ...places import GoogleCloudPlace
from .problems import GOOGLE_CLOUD

if TYPE_CHECKING:
    from obstore.store import GCSCredential, GCSStore

_SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]
_NATIVE = ("service_account", "authorized_user")
"""The kinds of credentials that obstore reads by itself."""


def google(place: GoogleCloudPlace, client: dict[str, Any], environ: Mapping[str, str]) -> GCSStore:
    """Open the bucket.

    Raises:
        LedgerUnusable: when the credentials cannot be read, or need a library that is not installed.
    """
    from obstore.store import GCSStore

    emulator = environ.get("STORAGE_EMULATOR_HOST")
    config: dict[str, Any] = {}
    arguments: dict[str, Any] = {"prefix": place.prefix or None, "config": config, **client}
    if emulator:
        config["base_url"] = emulator if "://" in emulator else f"http://{emulator}"
    elif place.universe:
        config["base_url"] = f"https://storage.{place.universe}"
    if place.anonymous:
        config["skip_signature"] = True
        return GCSStore(place.bucket, **arguments)
    provider = (lambda: _static("emulator")) if emulator else _provider(place, environ, config)
    if provider is not None:
        arguments["credential_provider"] = provider
    return GCSStore(place.bucket, **arguments)


def _provider(place: GoogleCloudPlace, environ: Mapping[str, str], config: dict[str, Any]) -> Any:
    """What gives the credentials; None where obstore finds them. In the order that Pulumi looks for them."""
    given, token = environ.get("GOOGLE_CREDENTIALS"), environ.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    if given:
        if _kind(place, given) in _NATIVE:
            config["service_account_key"] = given
            return None
        return _federated(place, json.loads(given))
    if token:
        return lambda: _static(token)
    file = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if file:
        content = _content(place, file)
        if _kind(place, content) not in _NATIVE:
            return _federated(place, json.loads(content))
    return None


def _static(token: str) -> GCSCredential:
    return {"token": token, "expires_at": None}


def _content(place: GoogleCloudPlace, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        pass
    raise LedgerUnusable(
        place, "cannot be used: the file of GOOGLE_APPLICATION_CREDENTIALS cannot be read", "Correct it."
    )


def _kind(place: GoogleCloudPlace, content: str) -> str:
    try:
        kind = json.loads(content).get("type")
    except (ValueError, AttributeError):
        kind = None
    if not isinstance(kind, str):
        raise LedgerUnusable(
            place, "cannot be used: Google's credentials are not the JSON that they should be", "Correct it."
        )
    return kind


def _federated(place: GoogleCloudPlace, info: dict[str, Any]) -> Any:
    """Workload identity federation and the like, which Google's own library knows."""
    try:
        from google import auth
        from google.auth import exceptions, identity_pool
        from obstore.auth.google import GoogleCredentialProvider
    except ImportError:
        auth = None
    if auth is None:
        way_out = "Run: pip install google-auth requests aiohttp."
        raise LedgerUnusable(place, "is to be used with credentials that need Google's library", way_out)
    source = info.get("credential_source") or {}
    try:
        if (
            "file" in source or "url" in source
        ):  # the general way would also ask Google for the project, over the network
            return GoogleCredentialProvider(identity_pool.Credentials.from_info(info, scopes=_SCOPES))
        return GoogleCredentialProvider(auth.load_credentials_from_dict(info, scopes=_SCOPES)[0])
    except exceptions.GoogleAuthError:
        pass  # its text holds what it was given
    raise LedgerUnusable(place, "cannot be used with Google's credentials as they are", GOOGLE_CLOUD.credentials)
