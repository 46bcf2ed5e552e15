"""What obstore says of a request that failed. It says it in text alone: this module is the only one that reads that text.

Its messages hold a path, a URL, an answer's body (with a signature in it) and a dump of several lines; nothing of
that goes further than the few facts here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_STATUS = re.compile(r"non-2xx status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_REGION = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>|expecting (?:'|&#39;|&#34;|\")([a-z0-9-]{1,40})")
_PERFORMED_AT = re.compile(r"Error performing [A-Z]+ https?://(\S{1,2000})")
_DENIED_ACTION = re.compile(r"\b(kms:[A-Za-z]{1,40})\b")
_MESSAGE_ENDS = "\n\nDebug source:"

_GIVES_CREDENTIALS = re.compile(
    r"(169\.254\.\d+\.\d+|metadata(\.google\.internal)?|sts\.([a-z0-9-]+\.)?amazonaws\.com(\.cn)?"
    r"|(oauth2|sts|iamcredentials)\.googleapis\.com|accounts\.google\.com"
    r"|login\.(microsoftonline\.(com|us|de)|chinacloudapi\.cn))(:\d+)?/.*"
    r"|[^/]+/(latest/(api/token|meta-data/iam)|computeMetadata/|metadata/identity/).*"
)


class Cause(Enum):
    """Why there was no answer."""

    NO_HOST = auto()
    """The host's name does not resolve."""
    CERTIFICATE = auto()
    """The server's certificate is not trusted, or it does not speak TLS."""
    TIMEOUT = auto()
    CONNECTION = auto()
    """Nobody there, or the connection broke."""
    REDIRECT = auto()
    """A redirect to nowhere, as S3 gives for a bucket in another region."""
    CREDENTIALS = auto()
    """None were found, or those that were found could not be used."""
    FOREIGN = auto()
    """There was an answer, but not one that such a store gives."""
    UNKNOWN = auto()


@dataclass(frozen=True)
class Report:
    """One failed request.

    Attributes:
        status: the HTTP status of the answer; None when there was none.
        code: the error's code in the answer, such as ``"NoSuchKey"``; may be empty.
        cause: why there was no answer; None when there was one.
        region: where the bucket is, when the answer says so.
        denied: an action that the answer names as denied.
    """

    status: int | None
    code: str = ""
    cause: Cause | None = None
    region: str | None = None
    denied: str | None = None


def read(error: Exception) -> Report:
    """The facts of one of obstore's errors."""
    whole = str(error)
    said, _, source = whole.partition(_MESSAGE_ENDS)
    if _asked_for_credentials(said):
        return Report(None, cause=Cause.CREDENTIALS)
    status = _first(_STATUS, said)
    if status is None:
        return Report(None, cause=_cause(said, source))
    return Report(
        int(status),
        code=_first(_CODE, said) or "",
        region=_first(_REGION, said),
        denied=_first(_DENIED_ACTION, said),
    )


def _asked_for_credentials(said: str) -> bool:
    url = _first(_PERFORMED_AT, said) or ""
    return bool(_GIVES_CREDENTIALS.fullmatch(url)) or "token request" in said


def _cause(said: str, source: str) -> Cause:  # noqa: PLR0911 - a table
    if "redirect" in said.lower():
        return Cause.REDIRECT
    if "dns error" in source:
        return Cause.NO_HOST
    if "InvalidCertificate" in source or "InvalidMessage" in source or "AlertReceived" in source:
        return Cause.CERTIFICATE
    if "kind: Timeout" in source or "TimedOut" in source:
        return Cause.TIMEOUT
    if "HTTP error" in said or "kind: Http" in source or "HttpError" in source or "reqwest" in source:
        return Cause.CONNECTION
    if "Unable to extract metadata" in said or "Got invalid" in said:
        return Cause.FOREIGN
    if "redential" in said or "ExternalAuth" in source:
        return Cause.CREDENTIALS
    return Cause.UNKNOWN


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return next((group for group in found.groups() if group), None) if found else None
