"""S3, and what speaks it."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import LedgerUnusable
from ...places import S3Place
from .problems import S3

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

_DEFAULT_REGION = "us-east-1"
_NATIVE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Any of them gives credentials that obstore finds by itself."""
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}


def s3(place: S3Place, client: dict[str, Any], environ: Mapping[str, str]) -> S3Store:
    """Open the bucket.

    Raises:
        LedgerUnusable: when the credentials need a library that is not installed, or a profile that is not there.
    """
    from obstore.store import S3Store

    session = _session(place, environ)
    region = place.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    region = region or (session and session.region_name) or _DEFAULT_REGION
    config: dict[str, Any] = {
        "region": region,
        "conditional_put": "etag",
        "disable_bulk_delete": True,  # one name at a time, and other stores do not all know how
        "skip_signature": place.anonymous,
        **_address(place, region, environ),
        **_encryption(place),
    }
    arguments: dict[str, Any] = {"prefix": place.prefix or None, "config": config, **client}
    provider = _provider(place, session)
    if provider is not None:
        arguments["credential_provider"] = provider
    return S3Store(place.bucket, **arguments)


def _address(place: S3Place, region: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Where requests go, by the rules of the AWS SDK."""
    endpoint = place.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if not endpoint and (place.fips or place.dualstack):
        kind = ("-fips" if place.fips else "") + (".dualstack" if place.dualstack else "")
        endpoint = f"https://s3{kind}.{region}.amazonaws.com"
    in_path = place.path_style or "." in place.bucket
    if not endpoint:
        return {"virtual_hosted_style_request": not in_path}
    url = urlsplit(endpoint)
    if not in_path and not _is_address(url.hostname or ""):
        return {
            "virtual_hosted_style_request": True,
            "aws_endpoint_url_s3": f"{url.scheme}://{place.bucket}.{url.netloc}",
        }
    return {"virtual_hosted_style_request": False, "aws_endpoint_url_s3": endpoint}


def _encryption(place: S3Place) -> dict[str, Any]:
    if place.encryption is None and place.encryption_key is None:
        return {}
    algorithm = {"server_side_encryption": place.encryption or "aws:kms"}
    return algorithm if place.encryption_key is None else {**algorithm, "sse_kms_key_id": place.encryption_key}


def _session(place: S3Place, environ: Mapping[str, str]) -> Any:
    """A session of boto3's, where the credentials are of a kind that obstore does not find by itself; else None."""
    found = any(environ.get(name) for name in _NATIVE)
    profile = place.profile or (None if found else environ.get("AWS_PROFILE"))
    wanted = profile is not None or place.role is not None
    if place.anonymous or not (wanted or (_has_files(environ) and not found)):
        return None
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError:
        boto3 = None
    if boto3 is None:
        if not wanted:
            return None  # a machine of AWS's may give them as well
        raise LedgerUnusable(place, "names an AWS profile or role", "Run: pip install boto3, which reads them.")
    try:
        session = boto3.Session(profile_name=profile, region_name=place.region or environ.get("AWS_REGION"))
        session.get_credentials()
    except BotoCoreError:  # its text may hold a line of a file
        session = None
    if session is None:
        what = f'the AWS profile "{profile}"' if profile else "the AWS configuration"
        raise LedgerUnusable(place, f"cannot be used: {what} is not there, or cannot be read", S3.credentials)
    return session


def _has_files(environ: Mapping[str, str]) -> bool:
    with contextlib.suppress(RuntimeError):  # no home directory
        return any(Path(environ.get(name) or file).expanduser().exists() for name, file in _FILES.items())
    return False


def _provider(place: S3Place, session: Any) -> Any:
    if session is None:
        return None
    from obstore.auth.boto3 import Boto3CredentialProvider

    if place.role is not None:
        role = place.role
        return lambda: _assumed(session, role)
    if session.get_credentials() is None:
        return None
    return Boto3CredentialProvider(session)


def _assumed(session: Any, role: str) -> S3Credential:
    """What obstore's own provider gives, with a time that obstore takes: it wants UTC itself, not the local zone."""
    given = session.client("sts").assume_role(RoleArn=role, RoleSessionName="pulumi-openfunnel")["Credentials"]
    return {
        "access_key_id": given["AccessKeyId"],
        "secret_access_key": given["SecretAccessKey"],
        "token": given["SessionToken"] or None,
        "expires_at": given["Expiration"].astimezone(dt.timezone.utc),
    }


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
