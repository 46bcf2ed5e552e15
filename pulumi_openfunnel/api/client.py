"""OpenFunnel's HTTP API over httpx: one request, one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import httpcore
import httpx

from .. import settings
from ..errors import InvalidSetting
from .answers import FOREIGN, MAX_BODY, Answer, CreatedUser, believe, is_foreign, json_object, refusal
from .deadlines import Deadlines
from .failures import broken, late, unanswered, unreached
from .pace import IN_FLIGHT
from .proxies import proxy_for
from .transport import Transport

CREATE_USER = "/api/v1/admin/create-user"
BALANCE = "/api/v1/credits/balance"
CONNECT_TIMEOUT = 10.0  # seconds
BALANCE_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Balance:
    """What the balance endpoint said of a key.

    Attributes:
        status: the HTTP status; None when there was no answer that means anything.
        credits_left: the credits of the key's domain, when the answer tells.
        problem: why the key is not known to work, as the words behind "OpenFunnel was asked, but"; None when it does.
        foreign: whether somebody else answered in its place.
    """

    status: int | None
    credits_left: float | None = None
    problem: str | None = None
    foreign: bool = False

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
        timeout: seconds for a request that says nothing else; connecting may take 10 of them.

    Raises:
        InvalidSetting: when the environment's proxies or certificates cannot be used.
    """

    def __init__(self, base_url: str, timeout: float = settings.DEFAULT_TIMEOUT) -> None:
        self._timeout = timeout
        self._looks = threading.BoundedSemaphore(IN_FLIGHT)  # so that a look's time does not pass in a queue
        self._deadlines = Deadlines(httpcore.SyncBackend())
        proxy = proxy_for(base_url)
        self._proxy = proxy.variable if proxy is not None else None
        try:
            # Whole addresses, parsed once: to put one together from a base takes httpx as long as to send a request.
            self._create_user = httpx.URL(base_url + CREATE_USER)
            self._balance = httpx.URL(base_url + BALANCE)
            self._http = httpx.Client(
                transport=Transport(proxy.url if proxy is not None else None, self._deadlines),
                trust_env=False,
                follow_redirects=False,
                headers={"User-Agent": f"pulumi-openfunnel/{version('pulumi-openfunnel')}"},
                event_hooks={"response": [_without_location]},
            )
        except (OSError, ValueError, ImportError, httpx.InvalidURL):
            usable = False  # the error may repeat a proxy's password, so it is not to be the next one's context
        else:
            usable = True
        if not usable:
            raise InvalidSetting(
                "environment",
                "The environment's proxies or certificates cannot be used. "
                "Check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
            )

    def close(self) -> None:
        """Close the connections that wait for reuse."""
        self._http.close()

    def create_user(
        self,
        internal_email: str,
        *,
        user_id: str,
        api_key: str,
        set_key: str,
        timeout: float | None = None,
        keep: Callable[[Answer], None] = lambda _answer: None,
    ) -> CreatedUser:
        """``POST /api/v1/admin/create-user`` (OpenFunnel's provision-user skill), once.

        Args:
            internal_email: the address to create, at the orchestrator's domain.
            user_id: the orchestrator's own email.
            api_key: the provisioner key.
            set_key: the sentence that says how another provisioner key is set.
            timeout: seconds until the answer must have come to its end; the client's own when None.
            keep: is given a 2xx answer before anything of it is looked at, also one that was cut off.

        Returns:
            The created user, when the answer proves it: 2xx, JSON, an id, a key and the email that was asked for.

        Raises:
            ProvisioningError: one of its subclasses, by what the answer means.
        """
        answer = self._send(internal_email, user_id, api_key, timeout or self._timeout)
        if not answer.succeeded:
            raise refusal(internal_email, answer, set_key)
        keep(answer)
        if not answer.whole:
            raise late(internal_email) if answer.late else broken(internal_email)
        return believe(internal_email, api_key, answer.status, answer.body)

    def balance(self, api_key: str, timeout: float = BALANCE_TIMEOUT) -> Balance:
        """``GET /api/v1/credits/balance`` (docs.openfunnel.dev/helpers/get-credit-balance.md), once.

        It has no side effects, so it tells whether a key works. Nothing is raised: what is not a clear yes or
        no is told in :attr:`Balance.problem`.

        Args:
            api_key: any key.
            timeout: seconds to wait for the answer.
        """
        request = self._http.build_request(
            "GET", self._balance, headers={"X-API-Key": api_key}, timeout=httpx.Timeout(timeout)
        )
        try:
            with self._looks:
                answer = self._exchange(request, timeout)
        except httpx.HTTPError as error:
            return Balance(None, problem=unreached(error, self._proxy))
        told = json_object(answer.body) if answer.whole else None
        if is_foreign(answer):
            return Balance(None, problem=f"{FOREIGN} ({answer.status})", foreign=True)
        if not answer.succeeded:
            return Balance(answer.status, problem=f"it answered {answer.status}")
        if told is None:
            return Balance(None, problem=f"it answered {answer.status} with no JSON object")
        left = told.get("credits_left")
        usable = isinstance(left, int | float) and not isinstance(left, bool) and abs(left) < 1e15
        return Balance(answer.status, left if usable else None)

    def _send(self, internal_email: str, user_id: str, api_key: str, timeout: float) -> Answer:
        request = self._http.build_request(
            "POST",
            self._create_user,
            json={"email": internal_email},
            headers={"X-API-Key": api_key, "X-User-ID": user_id},
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout)),
        )
        try:
            return self._exchange(request, timeout)
        except httpx.HTTPError as error:
            failure = unanswered(internal_email, error, self._proxy)
        raise failure

    def _exchange(self, request: httpx.Request, timeout: float) -> Answer:
        """The answer, which has come to its end or to the end of what is read of it when the time is up."""
        with self._deadlines.within(timeout):
            response = self._http.send(request, stream=True)
            body, cut_off = b"", None
            try:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        break
            except (httpx.TransportError, httpx.DecodingError) as error:
                cut_off = type(error)
            finally:
                response.close()
        late = cut_off is not None and issubclass(cut_off, httpx.TimeoutException)
        return Answer(response.status_code, response.headers, body[: MAX_BODY + 1], cut_off is None, late)


def _without_location(response: httpx.Response) -> None:
    """Take away where a redirect leads: it is never followed, and httpx fails on one that it cannot parse."""
    response.headers.pop("location", None)
