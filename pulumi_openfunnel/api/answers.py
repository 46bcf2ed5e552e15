"""What OpenFunnel's answers prove, and what its refusals mean."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from .. import settings
from ..errors import (
    AnswerNotBelieved,
    CredentialsRefused,
    ForeignPage,
    NotAProvisioner,
    ProvisioningError,
    RateLimited,
    RequestRefused,
    ServerFault,
    UserExists,
)

MAX_BODY = 64 * 1024  # bytes of an answer that are read

FOREIGN = "somebody between here and OpenFunnel answered in its place"
MAY_EXIST = "The user may have been created all the same"
UNCHANGED = "Nothing was created"

_LONGEST = 366 * 86400.0  # seconds that a server can ask to wait; more says no more, and a date has an end


@dataclass(frozen=True)
class Answer:
    """One answer as it came.

    Attributes:
        status: the HTTP status.
        headers: the headers, their names in lower case; not shown by ``repr``, like the body.
        body: the start of its body: at most ``MAX_BODY`` bytes, and one more when it was longer.
        whole: whether the body came to its end, or is cut off.
        late: whether it was the time that cut it off.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    whole: bool = True
    late: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class CreatedUser:
    """What a believed answer says of a new user. The key is not shown by ``repr``."""

    id: str
    email: str
    api_key: str = field(repr=False)


def believe(internal_email: str, provisioner_key: str, status: int, body: bytes) -> CreatedUser:
    """The user that a 2xx answer proves: JSON with an id, a key, and the email that was asked for.

    Raises:
        AnswerNotBelieved: naming the first thing that the answer does not prove.
    """
    answer = json_object(body)
    if answer is None:
        problem = "with more than 64 KB" if len(body) > MAX_BODY else "with no JSON object"
    else:
        id_, email, api_key = _id(answer.get("id")), answer.get("email"), _key(answer.get("api_key"))
        if not isinstance(email, str) or email.strip().lower() != internal_email:
            problem = "not for the email that was asked for"
        elif api_key is None:
            problem = "without a usable api_key"
        elif api_key == provisioner_key:
            problem = "with the provisioner key itself"
        elif id_ is None:
            problem = "without a usable id"
        else:
            return CreatedUser(id=id_, email=email, api_key=api_key)
    raise AnswerNotBelieved(
        internal_email,
        f"OpenFunnel answered {status}, but {problem}, and nothing of it was used. {MAY_EXIST}. "
        f"Check {settings.BASE_URL}, then ask OpenFunnel.",
        status,
        problem,
    )


def refusal(internal_email: str, answer: Answer, set_key: str) -> ProvisioningError:
    """What an answer other than 2xx means.

    Args:
        internal_email: the user that was asked for.
        answer: the answer.
        set_key: the sentence that says how another provisioner key is set.
    """
    status = answer.status
    if is_foreign(answer):
        return ForeignPage(
            internal_email,
            f"{FOREIGN} ({status}). {UNCHANGED}. Check HTTPS_PROXY and NO_PROXY, and what stands between here and OpenFunnel.",
            status,
        )
    if status == 401:
        return CredentialsRefused(
            internal_email, f"OpenFunnel refused the provisioner key (401). {UNCHANGED}. {set_key}", status
        )
    if status == 403:
        return NotAProvisioner(
            internal_email,
            f"OpenFunnel does not let this account create users (403). {UNCHANGED}. Ask OpenFunnel to enable "
            f"is_provisioner on it, and check that {settings.USER_ID} is the account of {settings.API_KEY}.",
            status,
        )
    if status == 409 or (status in (400, 422) and re.search(rb"exists|already", answer.body, re.IGNORECASE)):
        return UserExists(
            internal_email,
            f"exists already ({status}), and its key cannot be read. {UNCHANGED}. Pass existing_api_key when you have "
            "its key, aliases when the resource was only renamed, or prefix or email_mapping for another user.",
            status,
        )
    return _later(internal_email, answer) or _never(internal_email, status)


def is_foreign(answer: Answer) -> bool:
    """Whether somebody between here and OpenFunnel refused the request: OpenFunnel's own refusals are JSON objects."""
    return answer.status == 407 or (answer.status in (401, 403) and json_object(answer.body) is None)


def _later(internal_email: str, answer: Answer) -> ProvisioningError | None:
    """What may be answered otherwise when it is asked again."""
    status, wait = answer.status, _retry_after(answer)
    if status == 429 or (status == 503 and wait is not None):
        when = f"in {wait:.0f} seconds" if wait is not None else "later"
        what, so = ("limits the rate", UNCHANGED) if status == 429 else ("asks to wait", MAY_EXIST)
        reason = f"OpenFunnel {what} ({status}). {so}. Run pulumi up again {when}."
        return RateLimited(internal_email, reason, wait, status)
    if status >= 500 or status in (408, 425):
        return ServerFault(internal_email, f"OpenFunnel answered {status}. {MAY_EXIST}. Run pulumi up again.", status)
    return None


def _never(internal_email: str, status: int) -> RequestRefused:
    """What is final."""
    what = "a redirect, which is never followed with a key" if 300 <= status < 400 else f"{status}"
    advice = f"Check {settings.BASE_URL}" if status < 400 or status in (404, 405) else "Ask OpenFunnel why"
    return RequestRefused(internal_email, f"OpenFunnel answered {what}. {UNCHANGED}. {advice}.", status)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, or None: a parser's exception would hold the body."""
    if len(body) > MAX_BODY:
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _id(value: object) -> str | None:
    """A user's id as a string; whether it is a number or a string is not documented."""
    if isinstance(value, str):
        return value.strip() if value.strip().isprintable() and value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _key(value: object) -> str | None:
    if isinstance(value, str) and settings.is_key(value.strip()):
        return value.strip()
    return None


def _retry_after(answer: Answer) -> float | None:
    """Seconds to wait: the documented ``details.retry_after_seconds`` or the Retry-After header, the longer one; a year at the most."""
    details = (json_object(answer.body) or {}).get("details")
    told = details.get("retry_after_seconds") if isinstance(details, dict) else None
    header = answer.headers.get("retry-after")
    usable = [seconds for seconds in (_seconds(told), _seconds(header), _seconds_until(header)) if seconds is not None]
    return min(max(usable), _LONGEST) if usable else None


def _seconds(told: object) -> float | None:
    """A number of seconds that can be waited, however it is spelled."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        seconds = float(told)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(date: str | None) -> float | None:
    """The time until an HTTP date (RFC 9110, section 10.2.3)."""
    try:
        return max(parsedate_to_datetime(date or "").timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
