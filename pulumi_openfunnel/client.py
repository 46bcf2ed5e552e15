"""OpenFunnel's HTTP API over httpx: one request, one answer, and what the answer proves."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from . import settings
from .errors import (
    AnswerNotBelieved,
    CredentialsRefused,
    InvalidSetting,
    NotAProvisioner,
    ProvisioningError,
    RateLimited,
    RequestRefused,
    ServerFault,
    Unreachable,
    UserExists,
)

CREATE_USER = "/api/v1/admin/create-user"
BALANCE = "/api/v1/credits/balance"
CONNECT_TIMEOUT = 10.0  # seconds
BALANCE_TIMEOUT = 5.0  # seconds
MAX_BODY = 64 * 1024  # bytes of an answer that are read

_MAY_EXIST = "The user may have been created all the same"
_UNCHANGED = "Nothing was created"
_SET_KEY = f"Run: pulumi config set --secret {settings.API_KEY} (or set OPENFUNNEL_API_KEY)."


@dataclass(frozen=True)
class CreatedUser:
    """What a believed answer says of a new user. The key is not shown by ``repr``."""

    id: str
    email: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Balance:
    """What the balance endpoint said of a key.

    Attributes:
        status: the HTTP status; None when there was no answer that means anything.
        credits_left: the credits of the key's domain, when the answer tells.
        problem: why the key is not known to work; None when it does.
    """

    status: int | None
    credits_left: float | None = None
    problem: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether OpenFunnel accepts the key."""
        return self.problem is None

    @property
    def refused(self) -> bool:
        """Whether OpenFunnel said that it does not know the key."""
        return self.status == 401


class Client:
    """The API at one base URL. Safe to share between threads.

    Args:
        base_url: scheme, host and port, without a slash at the end.
        timeout: seconds to wait for a sign of the server, and for the end of its answer; connecting may take 10.

    Raises:
        InvalidSetting: when the environment's proxies or certificates cannot be used.
    """

    def __init__(self, base_url: str, timeout: float = settings.DEFAULT_TIMEOUT) -> None:
        self._timeout = timeout
        # A proxy from the environment is never to see what goes to this machine itself.
        loopback = settings.is_loopback(urlsplit(base_url).hostname or "")
        try:
            self._http = httpx.Client(
                base_url=base_url,
                trust_env=not loopback,
                follow_redirects=False,
                headers={"User-Agent": f"pulumi-openfunnel/{version('pulumi-openfunnel')}"},
            )
        except (OSError, ValueError, ImportError, httpx.InvalidURL):
            usable = False  # the error may repeat a proxy's password, so it is not to be the next one's context
        else:
            usable = True
        if not usable:
            raise InvalidSetting(
                "environment",
                "The environment's proxies or certificates cannot be used. "
                "Check HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
            )

    def close(self) -> None:
        """Close the connections that wait for reuse."""
        self._http.close()

    def create_user(self, internal_email: str, *, user_id: str, api_key: str, set_key: str = _SET_KEY) -> CreatedUser:
        """``POST /api/v1/admin/create-user`` (OpenFunnel's provision-user skill), once.

        Args:
            internal_email: the address to create, at the orchestrator's domain.
            user_id: the orchestrator's own email.
            api_key: the provisioner key.
            set_key: the sentence that says how another provisioner key is set.

        Returns:
            The created user, when the answer proves it: 2xx, JSON, an id, a key and the email that was asked for.

        Raises:
            ProvisioningError: one of its subclasses, by what the answer means.
        """
        status, headers, body = self._send(internal_email, user_id=user_id, api_key=api_key)
        if 200 <= status < 300:
            return _believe(internal_email, api_key, status, body)
        _refuse(internal_email, status, headers, body, set_key)

    def balance(self, api_key: str, timeout: float = BALANCE_TIMEOUT) -> Balance:
        """``GET /api/v1/credits/balance`` (docs.openfunnel.dev/helpers/get-credit-balance.md), once.

        It has no side effects, so it tells whether a key works. Nothing is raised: what is not a clear yes or
        no is told in :attr:`Balance.problem`.

        Args:
            api_key: any key.
            timeout: seconds to wait for the answer.
        """
        request = self._http.build_request(
            "GET", BALANCE, headers={"X-API-Key": api_key}, timeout=httpx.Timeout(timeout)
        )
        try:
            status, _, body = self._exchange(request, timeout)
        except httpx.TimeoutException:
            return Balance(None, problem="it did not answer in time")
        except httpx.HTTPError:
            return Balance(None, problem="it could not be reached")
        answer = _json_object(body)
        if not 200 <= status < 300:
            return Balance(status, problem=f"it answered {status}")
        if answer is None:
            return Balance(None, problem=f"it answered {status} with no JSON object")
        left = answer.get("credits_left")
        told = isinstance(left, int | float) and not isinstance(left, bool) and abs(left) < 1e15
        return Balance(status, left if told else None)

    def _send(self, internal_email: str, *, user_id: str, api_key: str) -> tuple[int, httpx.Headers, bytes]:
        request = self._http.build_request(
            "POST",
            CREATE_USER,
            json={"email": internal_email},
            headers={"X-API-Key": api_key, "X-User-ID": user_id},
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
        )
        try:
            return self._exchange(request, self._timeout)
        except httpx.HTTPError as error:
            failure = _unanswered(internal_email, error)
        raise failure

    def _exchange(self, request: httpx.Request, timeout: float) -> tuple[int, httpx.Headers, bytes]:
        """The answer's status, headers and the start of its body."""
        deadline = time.monotonic() + timeout
        response = self._http.send(request, stream=True)
        try:
            return response.status_code, response.headers, _read(response, deadline)
        finally:
            response.close()


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The start of the body: at most MAX_BODY bytes, of which one more tells that it was longer."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            return body[: MAX_BODY + 1]
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer did not end in time")
    return body


def _unanswered(internal_email: str, error: httpx.HTTPError) -> ProvisioningError:
    """What an exchange without a whole answer means; of the error's text only a connection's is repeated."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        reason = "OpenFunnel could not be reached in time"
    elif isinstance(error, httpx.ConnectError):
        reason = f"OpenFunnel could not be reached ({' '.join(str(error).split())})"
    elif isinstance(error, httpx.ProxyError):
        reason = "the proxy that the environment names did not let the request through"
    elif isinstance(error, httpx.TimeoutException):
        return Unreachable(
            internal_email, f"OpenFunnel did not answer in time. {_MAY_EXIST}. Run pulumi up again.", sent=True
        )
    else:
        return Unreachable(
            internal_email, f"the connection to OpenFunnel broke. {_MAY_EXIST}. Run pulumi up again.", sent=True
        )
    return Unreachable(
        internal_email, f"{reason}. {_UNCHANGED}. Check {settings.BASE_URL} and run pulumi up again.", sent=False
    )


def _believe(internal_email: str, provisioner_key: str, status: int, body: bytes) -> CreatedUser:
    """The user that a 2xx answer proves; the first thing that it does not prove is the error."""
    answer = _json_object(body)
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
        f"OpenFunnel answered {status}, but {problem}, and nothing of it was kept. {_MAY_EXIST}. "
        f"Check {settings.BASE_URL}, then ask OpenFunnel.",
        status,
    )


def _refuse(internal_email: str, status: int, headers: httpx.Headers, body: bytes, set_key: str) -> NoReturn:
    """Raise what an answer other than 2xx means."""
    if status == 401:
        raise CredentialsRefused(
            internal_email, f"OpenFunnel refused the provisioner key (401). {_UNCHANGED}. {set_key}", status
        )
    if status == 403:
        raise NotAProvisioner(
            internal_email,
            f"OpenFunnel does not let this account create users (403). {_UNCHANGED}. Ask OpenFunnel to enable "
            f"is_provisioner on it, and check that {settings.USER_ID} is the account of {settings.API_KEY}.",
            status,
        )
    if status == 409 or (status == 400 and re.search(rb"exists|already", body, re.IGNORECASE)):
        raise UserExists(
            internal_email,
            f"exists already ({status}), and its key cannot be read. {_UNCHANGED}. Pass existing_api_key when you have "
            "its key, aliases when the resource was only renamed, or prefix or email_mapping for another user.",
            status,
        )
    if status == 429:
        wait = _retry_after(headers, body)
        when = f"in {wait:.0f} seconds" if wait is not None else "later"
        raise RateLimited(
            internal_email, f"OpenFunnel limits the rate (429). {_UNCHANGED}. Run pulumi up again {when}.", wait
        )
    if status >= 500:
        raise ServerFault(internal_email, f"OpenFunnel answered {status}. {_MAY_EXIST}. Run pulumi up again.", status)
    what = "a redirect, which is never followed with a key" if 300 <= status < 400 else f"{status}"
    advice = f"Check {settings.BASE_URL}" if status < 400 or status in (404, 405) else "Ask OpenFunnel why"
    raise RequestRefused(internal_email, f"OpenFunnel answered {what}. {_UNCHANGED}. {advice}.", status)


def _json_object(body: bytes) -> dict[str, Any] | None:
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


def _retry_after(headers: httpx.Headers, body: bytes) -> float | None:
    """Seconds to wait: the documented ``details.retry_after_seconds``, else the Retry-After header."""
    details = (_json_object(body) or {}).get("details")
    asked = details.get("retry_after_seconds") if isinstance(details, dict) else None
    if not isinstance(asked, int | float) or isinstance(asked, bool):
        header = headers.get("Retry-After", "")
        asked = int(header) if header.isascii() and header.isdigit() and len(header) < 10 else None
    return float(asked) if asked is not None and 0 <= asked < 1e9 else None
