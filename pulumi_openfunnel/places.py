"""Where a ledger can lie. What the setting says of it is read in :mod:`ledger_urls`; nothing here opens or makes anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class FilePlace:
    """An SQLite file.

    Attributes:
        path: absolute.
        default: whether nobody named it, so that it lies in the user's state directory.
    """

    path: Path
    default: bool = False

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class S3Place:
    """A prefix in an S3 bucket, or in one of a store that speaks S3.

    Attributes:
        prefix: without a slash at either end; may be empty.
        endpoint: the URL of another server than AWS's.
        path_style: whether the bucket stands in the path of a request, not in its host.
        profile: whose credentials and region, of the AWS configuration files.
        role: the ARN of a role to assume.
        encryption: the algorithm for the server to encrypt with, such as ``"aws:kms"``.
        encryption_key: the id of its KMS key.
    """

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    path_style: bool = False
    profile: str | None = None
    role: str | None = None
    anonymous: bool = False
    dualstack: bool = False
    fips: bool = False
    encryption: str | None = None
    encryption_key: str | None = None

    def __str__(self) -> str:
        return _spelled("s3", self.bucket, self.prefix)


@dataclass(frozen=True)
class GoogleCloudPlace:
    """A prefix in a bucket of Google Cloud Storage.

    Attributes:
        prefix: without a slash at either end; may be empty.
        universe: the domain of another cloud than Google's public one.
    """

    bucket: str
    prefix: str = ""
    anonymous: bool = False
    universe: str | None = None

    def __str__(self) -> str:
        return _spelled("gs", self.bucket, self.prefix)


@dataclass(frozen=True)
class AzurePlace:
    """A prefix in a container of Azure Blob Storage.

    Attributes:
        prefix: without a slash at either end; may be empty.
        account: the storage account; None for the environment's.
        domain: where it is served instead of ``blob.core.windows.net``.
        protocol: ``"http"`` for an emulator; None for the environment's, or https.
        emulator: whether the account stands in the path, as with Azurite.
        cdn: whether the domain stands for the account.
    """

    container: str
    prefix: str = ""
    account: str | None = None
    domain: str | None = None
    protocol: str | None = None
    emulator: bool | None = None
    cdn: bool | None = None

    def __str__(self) -> str:
        return _spelled("azblob", self.container, self.prefix)


@dataclass(frozen=True)
class PostgresPlace:
    """A PostgreSQL database.

    Attributes:
        url: as libpq takes it; it may hold a password, so it is not shown by ``repr``.
        name: the place for messages.
        local: whether it is on this machine alone, so that a plain connection shows nothing to anybody.
    """

    url: str = field(repr=False)
    name: str
    local: bool = False

    def __str__(self) -> str:
        return self.name


BucketPlace = S3Place | GoogleCloudPlace | AzurePlace
Place = FilePlace | BucketPlace | PostgresPlace


def _spelled(scheme: str, bucket: str, prefix: str) -> str:
    return f"{scheme}://{bucket}" + (f"/{quote(prefix)}" if prefix else "")
