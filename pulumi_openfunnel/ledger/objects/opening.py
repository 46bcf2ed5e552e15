"""An object store, opened with the URL that Pulumi takes for its state, and with the same credentials."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ...errors import LedgerUnusable
from ...places import AzurePlace, BucketPlace, GoogleCloudPlace, S3Place
from ..extras import extra
from . import problems
from .azure import azure
from .google import google
from .s3 import s3

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutResult, UpdateVersion
    from obstore.store import AzureStore, GCSStore, S3Store

_CONNECTING = 5.0  # seconds
_ANSWERING = 10.0


@dataclass(frozen=True)
class Opened:
    """A store that can be asked.

    Attributes:
        store: obstore's.
        vendor: how it calls things.
        errors: what its calls raise.
        version: tells a document's version from what obstore says of it.
        condition: what obstore calls that version.
    """

    store: S3Store | GCSStore | AzureStore
    vendor: problems.Vendor
    errors: tuple[type[Exception], ...]
    version: Callable[[ObjectMeta | PutResult], str]
    condition: Callable[[str], UpdateVersion]


def opened(place: BucketPlace, patience: float, environ: Mapping[str, str] = os.environ) -> Opened:
    """Open a bucket. No request is made.

    Args:
        place: the bucket.
        patience: seconds that one request may take at most.
        environ: the environment's variables.

    Raises:
        LedgerUnusable: when an extra is missing, or a setting cannot be used.
    """
    exceptions = extra("obstore.exceptions", "objects", place)
    try:
        return _opened(place, _client(patience), (exceptions.BaseError, OSError), environ)
    except (exceptions.BaseError, ValueError):
        pass  # their texts hold values
    vendor = _vendor(place)
    raise LedgerUnusable(place, "cannot be opened with the settings of the environment", vendor.credentials)


def _opened(
    place: BucketPlace, client: dict[str, Any], errors: tuple[type[Exception], ...], environ: Mapping[str, str]
) -> Opened:
    if isinstance(place, S3Place):
        return Opened(s3(place, client, environ), problems.S3, errors, _etag, _as_etag)
    if isinstance(place, GoogleCloudPlace):
        return Opened(google(place, client, environ), problems.GOOGLE_CLOUD, errors, _generation, _as_generation)
    return Opened(azure(place, client, environ), problems.AZURE, errors, _etag, _as_etag)


def _vendor(place: BucketPlace) -> problems.Vendor:
    if isinstance(place, AzurePlace):
        return problems.AZURE
    return problems.S3 if isinstance(place, S3Place) else problems.GOOGLE_CLOUD


def _client(patience: float) -> dict[str, Any]:
    """Bounds for one request, and no retries of the library's own: those are counted where all stores' are."""
    return {
        "client_options": {
            "allow_http": True,  # the URL says which
            "connect_timeout": timedelta(seconds=min(_CONNECTING, patience)),
            "timeout": timedelta(seconds=min(_ANSWERING, patience)),
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=patience)},
    }


def _etag(said: ObjectMeta | PutResult) -> str:
    return said["e_tag"] or ""


def _as_etag(version: str) -> UpdateVersion:
    return {"e_tag": version}


def _generation(said: ObjectMeta | PutResult) -> str:
    return said["version"] or ""


def _as_generation(version: str) -> UpdateVersion:
    return {"version": version}
