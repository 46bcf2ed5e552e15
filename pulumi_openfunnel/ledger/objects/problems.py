"""Why an object store did not do as it was asked, in our words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ...errors import LedgerUnusable
from .reports import Cause, Report

_SETTING = "openfunnel:ledger"
_AGAIN = "Run pulumi up again once it answers"
_ANOTHER = "It needs a store that does: AWS, Google Cloud, Azure, or a newer version of this one."


class Action(Enum):
    """What was asked for."""

    READ = auto()
    CREATE = auto()
    REPLACE = auto()
    REMOVE = auto()
    LIST = auto()


@dataclass(frozen=True)
class Vendor:
    """How one kind of store calls things.

    Attributes:
        bucket: what it calls a bucket.
        permissions: what each action needs.
        grant: how somebody gives permissions, as the words behind "Give".
        credentials: how credentials are set, as a sentence.
        region: how the region is set, as a sentence; empty where there is nothing to set.
    """

    bucket: str
    permissions: dict[Action, str]
    grant: str
    credentials: str
    region: str = ""


S3 = Vendor(
    bucket="bucket",
    permissions={
        Action.READ: "s3:GetObject, and s3:ListBucket, without which what is not there looks forbidden",
        Action.CREATE: "s3:PutObject",
        Action.REPLACE: "s3:PutObject and s3:GetObject",
        Action.REMOVE: "s3:DeleteObject",
        Action.LIST: "s3:ListBucket",
    },
    grant="the identity that Pulumi runs as",
    credentials=(
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or a web identity; "
        "profiles of the AWS configuration files need: pip install boto3."
    ),
    region=f"Say which in the URL: pulumi config set {_SETTING} 's3://bucket/prefix?region=…' (or set AWS_REGION).",
)
GOOGLE_CLOUD = Vendor(
    bucket="bucket",
    permissions={
        Action.READ: "storage.objects.get, and storage.objects.list, without which what is not there looks forbidden",
        Action.CREATE: "storage.objects.create",
        Action.REPLACE: "storage.objects.create and storage.objects.delete",
        Action.REMOVE: "storage.objects.delete",
        Action.LIST: "storage.objects.list",
    },
    grant="the account that Pulumi runs as",
    credentials=(
        "Set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login; "
        "workload identity federation needs: pip install google-auth requests aiohttp."
    ),
)
_AZURE_ROLE = 'the role "Storage Blob Data Contributor" (Microsoft.Storage/…/containers/blobs/'
AZURE = Vendor(
    bucket="container",
    permissions={
        Action.READ: f"{_AZURE_ROLE}read)",
        Action.CREATE: f"{_AZURE_ROLE}write)",
        Action.REPLACE: f"{_AZURE_ROLE}write)",
        Action.REMOVE: f"{_AZURE_ROLE}delete)",
        Action.LIST: f"{_AZURE_ROLE}read)",
    },
    grant="the identity that Pulumi runs as",
    credentials=(
        "Set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET; "
        "the Azure CLI's login needs: pip install azure-identity aiohttp."
    ),
)

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "InvalidBucketName")
_CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
_CREDENTIALS = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "XAdminUserNotFound",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    "NotSignedUp",
    "AuthenticationFailed",
    "AuthenticationRequired",
    "NoAuthenticationInformation",
    "InvalidAuthenticationInfo",
)
_REGION = (
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
)
_PASSES = (
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "ServerBusy",
    "OperationTimedOut",
)
_THROTTLES = ("SlowDown", "ServerBusy", "TooManyRequests", "rateLimitExceeded", "RequestLimitExceeded", "Throttling")
_CONDITIONS = ("", "PreconditionFailed", "ConditionNotMet", "TargetConditionNotMet")
_NOT_THERE = ("NoSuchKey", "BlobNotFound")
_THERE_ALREADY = ("BlobAlreadyExists",)


def is_conflict(report: Report) -> bool:
    """Whether a write's condition did not hold."""
    return (
        (report.status == 412 and report.code in _CONDITIONS)
        or (report.status == 409 and report.code in _THERE_ALREADY)
        or (report.status == 404 and report.code in _NOT_THERE)
    )


def is_not_there(report: Report) -> bool:
    """Whether the store says, in its own words, that there is no such document; a proxy's 404 says nothing."""
    return report.status == 404 and report.code in _NOT_THERE


def unusable(place: object, vendor: Vendor, action: Action, report: Report) -> LedgerUnusable:
    """The error that says what is wrong with the store."""
    if report.status is None:
        return _unanswered(place, vendor, report.cause)
    return _by_code(place, vendor, report) or _by_status(place, vendor, action, report)


def no_versions(place: object) -> LedgerUnusable:
    """The error for a store, or for what stands before it, that does not say which version it holds."""
    return LedgerUnusable(place, "does not answer as a store with conditional writes does", _ANOTHER)


def _unanswered(  # noqa: PLR0911 - a table
    place: object, vendor: Vendor, cause: Cause | None
) -> LedgerUnusable:
    if cause is Cause.CREDENTIALS:
        return LedgerUnusable(place, "cannot be used: no credentials that work were found", vendor.credentials)
    if cause is Cause.CERTIFICATE:
        way_out = "Set SSL_CERT_FILE to the certificates to trust, or correct the URL's endpoint."
        return LedgerUnusable(place, "is behind a certificate that is not trusted, or speaks no TLS", way_out)
    if cause is Cause.REDIRECT:
        return _elsewhere(place, vendor, None)
    if cause is Cause.FOREIGN:
        return no_versions(place)
    if cause is Cause.NO_HOST:
        way_out = f"{_AGAIN}, or correct the URL ({_SETTING})."
        return LedgerUnusable(place, "cannot be reached: its host was not found", way_out, transient=True)
    if cause is Cause.TIMEOUT:
        return LedgerUnusable(place, "did not answer in time", f"{_AGAIN}.", transient=True)
    reason = "the connection failed" if cause is Cause.CONNECTION else "for a reason that is not known"
    way_out = f"{_AGAIN}; behind a proxy, set HTTPS_PROXY."
    return LedgerUnusable(place, f"cannot be reached: {reason}", way_out, transient=True)


def _by_code(place: object, vendor: Vendor, report: Report) -> LedgerUnusable | None:  # noqa: PLR0911 - a table
    """What the error's code alone tells."""
    code = report.code
    if code in _NO_BUCKET:
        return LedgerUnusable(
            place, f"cannot be used: there is no such {vendor.bucket}", f"Make it, or correct the URL ({_SETTING})."
        )
    if code in _CLOCK:
        return LedgerUnusable(place, "refuses this machine's clock, which is minutes off", "Set the clock.")
    if code in _CREDENTIALS:
        return LedgerUnusable(place, f"does not accept the credentials ({code})", vendor.credentials)
    if code in _REGION:
        return _elsewhere(place, vendor, report.region)
    if code in _THROTTLES:
        return LedgerUnusable(place, "throttles requests", f"{_AGAIN}.", transient=True)
    if code in _PASSES:
        return LedgerUnusable(place, f"did not get to it ({code})", f"{_AGAIN}.", transient=True)
    return None


def _by_status(  # noqa: PLR0911 - a table
    place: object, vendor: Vendor, action: Action, report: Report
) -> LedgerUnusable:
    status, answered = report.status or 0, f"{report.status} {report.code}".strip()
    if status == 401:
        return LedgerUnusable(place, f"does not accept the credentials ({answered})", vendor.credentials)
    if status == 403:
        needed = report.denied or vendor.permissions[action]
        doing = _DOING[action]
        return LedgerUnusable(place, f"may not be {doing} ({answered})", f"Give {vendor.grant} {needed}.")
    if status == 429:
        return LedgerUnusable(place, "throttles requests", f"{_AGAIN}.", transient=True)
    if status in (408, 425) or (status >= 500 and status != 501):
        return LedgerUnusable(place, f"is out of order: it answered {answered}", f"{_AGAIN}.", transient=True)
    if status in (301, 302, 307, 308):
        return _elsewhere(place, vendor, report.region)
    if status == 501:
        return LedgerUnusable(place, "does not take conditional writes", _ANOTHER)
    return LedgerUnusable(
        place,
        f"cannot be used: it answered {answered}",
        f"Correct the URL ({_SETTING}), or what stands before the store.",
    )


def _elsewhere(place: object, vendor: Vendor, region: str | None) -> LedgerUnusable:
    where = f"is in region {region}, not in the one that was asked" if region else "is in another region"
    return LedgerUnusable(place, where, vendor.region or f"Correct the URL ({_SETTING}).")


_DOING = {
    Action.READ: "read",
    Action.CREATE: "written",
    Action.REPLACE: "written",
    Action.REMOVE: "removed from",
    Action.LIST: "listed",
}
