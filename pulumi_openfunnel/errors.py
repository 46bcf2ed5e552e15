"""What can go wrong, as one tree.

::

    OpenFunnelError
    ├── InvalidInput              an address, prefix, mapping or key that cannot be used
    ├── InvalidSetting            configuration or environment that is missing or wrong
    ├── LedgerUnusable            the ledger cannot be read or written
    └── ProvisioningError         one user was not provisioned, and which
        ├── CredentialsRefused    401: the provisioner key
        ├── NotAProvisioner       403: the account behind the key
        ├── UserExists            409, or 400 that says so
        ├── KeyRefused            an adopted key that OpenFunnel does not accept
        ├── KeyNotTried           an adopted key that OpenFunnel said nothing of
        ├── RequestRefused        any other 4xx, and redirects
        ├── RateLimited           429
        ├── ServerFault           5xx
        ├── Unreachable           no answer: nobody there, or nothing in time
        ├── AnswerNotBelieved     2xx that does not prove the user that was asked for
        ├── AnotherEndUser        the ledger knows the user, or the key, as another end user's
        ├── KeySealed             the ledger holds the key, sealed under a key that is not at hand
        ├── InProgress            another run is asking for the user right now
        └── Stopped               the operation was cancelled before the user was asked for

Every message is one line: what happened, to which user, what to do now. None holds a key, a header or an
answer's body, whatever the server put there.
"""

from __future__ import annotations


class OpenFunnelError(Exception):
    """The base of everything that this package raises; never raised directly."""

    def __str__(self) -> str:
        return " ".join(self.args)

    def add(self, sentence: str) -> None:
        """Say one more sentence at the end of the message."""
        self.args = (*self.args, sentence)


class InvalidInput(OpenFunnelError):
    """An input of the program that cannot be used.

    Attributes:
        property: the input that is wrong, such as ``"email"``.
    """

    def __init__(self, property: str, message: str) -> None:
        super().__init__(message)
        self.property = property


class InvalidSetting(OpenFunnelError):
    """A setting that is missing or wrong.

    Attributes:
        setting: its name in the stack's config, such as ``"openfunnel:userId"``.
    """

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


class LedgerUnusable(OpenFunnelError):
    """The ledger cannot be read or written.

    Attributes:
        place: where it lies, as messages name it; never with a password.
        problem: what is wrong with it, as the words behind its name.
        way_out: the sentence that says what to do.
        transient: whether the same call may succeed later: the place is down, throttles, or somebody holds it.
    """

    def __init__(self, place: object, problem: str, way_out: str, *, transient: bool = False) -> None:
        super().__init__(f"The ledger {place} {problem}. {way_out}")
        self.place = place
        self.problem = problem
        self.way_out = way_out
        self.transient = transient

    def again(self) -> LedgerUnusable:
        """The same error for another caller, who may say more of its own."""
        return LedgerUnusable(self.place, self.problem, self.way_out, transient=self.transient)


class ProvisioningError(OpenFunnelError):
    """A user that could not be provisioned; the base of what is raised once a user is known.

    Attributes:
        internal_email: the user that was asked for.
        status: the HTTP status of the answer; None when there was none.
        may_exist: whether the request may have created the user all the same.
        transient: whether the same request may succeed later.
        attempts: how often it was tried.
    """

    may_exist = False
    transient = False
    attempts = 1

    def __init__(self, internal_email: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{internal_email}: {message}")
        self.internal_email = internal_email
        self.status = status

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} (Tried {self.attempts} times.)" if self.attempts > 1 else message

    @property
    def reason(self) -> str:
        """The message without the user's name, and without how often it was tried: the same for all whom it befell."""
        return " ".join(self.args).removeprefix(f"{self.internal_email}: ")


class CredentialsRefused(ProvisioningError):
    """401: the provisioner key is not accepted. Nothing was created."""


class NotAProvisioner(ProvisioningError):
    """403: the account may not create users, or the key is another account's. Nothing was created."""


class UserExists(ProvisioningError):
    """409, or 400 that says "exists": there is such a user already. Nothing was created."""


class KeyRefused(ProvisioningError):
    """401 for a key that was to be adopted. Nothing was stored."""


class KeyNotTried(ProvisioningError):
    """OpenFunnel did not say whether a key that was to be adopted works. Nothing was stored."""


class RequestRefused(ProvisioningError):
    """A redirect, or a 4xx without a class of its own. Nothing was created."""


class RateLimited(ProvisioningError):
    """429: too many requests. Nothing was created.

    Attributes:
        retry_after: seconds to wait, as the server said; None when it did not.
    """

    transient = True

    def __init__(self, internal_email: str, message: str, retry_after: float | None) -> None:
        super().__init__(internal_email, message, 429)
        self.retry_after = retry_after


class ServerFault(ProvisioningError):
    """5xx: whether the user was created is unknown."""

    may_exist = True
    transient = True


class Unreachable(ProvisioningError):
    """No answer, or none that came to its end.

    Attributes:
        sent: whether the request may have reached the server, so that the user may exist.
    """

    def __init__(self, internal_email: str, message: str, *, sent: bool, transient: bool = True) -> None:
        super().__init__(internal_email, message)
        self.sent = self.may_exist = sent
        self.transient = transient


class AnswerNotBelieved(ProvisioningError):
    """A 2xx that is not JSON, or without a usable id and key, or for another email. Nothing of it was used.

    Attributes:
        problem: what is wrong with the answer, as the words behind "OpenFunnel answered 200, but".
    """

    may_exist = True

    def __init__(self, internal_email: str, message: str, status: int | None, problem: str) -> None:
        super().__init__(internal_email, message, status)
        self.problem = problem


class AnotherEndUser(ProvisioningError):
    """The ledger knows the internal email as another end user's. Nothing was asked for."""


class KeySealed(ProvisioningError):
    """The ledger holds the user's key, sealed under a key that is not at hand. Nothing was asked for."""


class InProgress(ProvisioningError):
    """Another run is asking for the user right now. Nothing was asked for."""


class Stopped(ProvisioningError):
    """The operation was cancelled, or the engine is gone. No further request was started."""
