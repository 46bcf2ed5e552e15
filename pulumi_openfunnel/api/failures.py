"""What an exchange without an answer means: nobody there, a name, a certificate, a proxy, the time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from .. import settings
from ..errors import ProvisioningError, Unreachable
from .answers import MAY_EXIST, UNCHANGED

RESOLVING = 30.0  # seconds after which a name that does not resolve will not, either
FEW = 3  # tries of what another machine in between answers


def unanswered(internal_email: str, error: httpx.HTTPError, proxy: str | None) -> ProvisioningError:
    """The error for a create-user request that got no answer.

    Args:
        internal_email: the user that was asked for.
        error: httpx's; nothing of its text is repeated but the system's words for a connection that failed.
        proxy: the variable that names the proxy; None without one.
    """
    if isinstance(error, httpx.ProxyError):
        failure = _not_sent(internal_email, f"{_the(proxy)} did not let the request through", _check(proxy))
        failure.tries = FEW
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        failure = _not_sent(internal_email, f"the certificate {_of(proxy)} is not trusted here", _CERTIFICATE)
        failure.transient = False
    elif any(isinstance(cause, socket.gaierror) for cause in _causes(error)):
        failure = _not_sent(internal_email, f"the name {_of(proxy)} does not resolve", _check(proxy))
        failure.patience = RESOLVING
    elif isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        failure = _not_sent(internal_email, "OpenFunnel could not be reached in time", _check(proxy))
    elif isinstance(error, httpx.ConnectError):
        said = " ".join(str(error).split())
        failure = _not_sent(internal_email, f"OpenFunnel could not be reached ({said})", _check(proxy))
    elif isinstance(error, httpx.TimeoutException):
        return late(internal_email)
    else:
        return broken(internal_email)
    return failure


def unreached(error: httpx.HTTPError, proxy: str | None) -> str:
    """Why a look at a balance got no answer, as the words behind "OpenFunnel was asked, but"."""
    if isinstance(error, httpx.ProxyError):
        return f"{_the(proxy)} did not let the request through"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return f"the certificate {_of(proxy)} is not trusted here: set SSL_CERT_FILE"
    if any(isinstance(cause, socket.gaierror) for cause in _causes(error)):
        return f"the name {_of(proxy)} does not resolve"
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return "it could not be reached"


def late(internal_email: str) -> Unreachable:
    """The answer did not come in time."""
    reason = f"OpenFunnel did not answer in time. {MAY_EXIST}. Run pulumi up again."
    return Unreachable(internal_email, reason, sent=True)


def broken(internal_email: str) -> Unreachable:
    """The connection broke within the exchange."""
    reason = f"the connection to OpenFunnel broke. {MAY_EXIST}. Run pulumi up again."
    return Unreachable(internal_email, reason, sent=True)


_CERTIFICATE = (
    "If a proxy or firewall of your network answers for OpenFunnel, set SSL_CERT_FILE to a file with its certificate "
    "authority and run pulumi up again."
)


def _not_sent(internal_email: str, reason: str, advice: str) -> Unreachable:
    return Unreachable(internal_email, f"{reason}. {UNCHANGED}. {advice}", sent=False)


def _check(proxy: str | None) -> str:
    what = settings.BASE_URL if proxy is None else f"{proxy} (or NO_PROXY)"
    return f"Check {what} and run pulumi up again."


def _the(proxy: str | None) -> str:
    return "a proxy" if proxy is None else f"the proxy that {proxy} names"


def _of(proxy: str | None) -> str:
    return "of openfunnel:baseUrl" if proxy is None else f"of openfunnel:baseUrl, or of the proxy that {proxy} names,"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from: httpcore's, and the system's, which httpcore's pool raises "from None"."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__
