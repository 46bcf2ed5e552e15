"""What can go wrong, as one tree.

::

    OpenFunnelError
    ├── InvalidInput              an address, prefix, mapping or key that cannot be used
    ├── InvalidSetting            configuration or environment that is missing or wrong
    ├── LedgerUnusable            the ledger cannot be read or written
    └── ProvisioningError         one user was not provisioned, and which
        ├── CredentialsRefused    401: the provisioner key
        ├── NotAProvisioner       403: the account behind the key
        ├── UserExists            409, or 400 or 422 that says so
        ├── KeyRefused            an adopted key that OpenFunnel does not accept
        ├── KeyNotTried           an adopted key that OpenFunnel said nothing of
        ├── RequestRefused        any other 4xx, and redirects
        ├── ForeignPage           401, 403, 407 that somebody else answered
        ├── RateLimited           429, and 503 that says when to come back
        ├── ServerFault           5xx, 408, 425
        ├── Unreachable           no answer: nobody there, or nothing in time
        ├── AnswerNotBelieved     2xx that does not prove the user that was asked for
        ├── AnotherEndUser        the ledger knows the user, or the key, as another end user's
        ├── KeySealed             the ledger holds the key, sealed under a key that is not at hand
        ├── InProgress            another run is creating the user
        └── Stopped               the operation was cancelled before the user was asked for

Every message is one line: what happened, to which user, what to do now. None holds a key, a header or an
answer's body, whatever the server put there.
"""

from __future__ import annotations


class OpenFunnelError(Exception):
    """The base of everything that this package raises; never raised directly.

    Attributes:
        added: sentences behind the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.added: list[str] = []

    def __str__(self) -> str:
        return " ".join([*self.args, *self.added])

    def add(self, sentence: str) -> None:
        """Say one more sentence at the end of the message."""
        self.added.append(sentence)


class InvalidInput(OpenFunnelError):
    """An input of the program that cannot be used.

    Attributes:
        property: the input that is wrong, such as ``"email"``.
        problem: the sentence that says what is wrong with which value.
        advice: the sentence that says what to give instead, when there is one for all values.
    """

    def __init__(self, property: str, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem} {advice}".rstrip())
        self.property = property
        self.problem = problem
        self.advice = advice


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
        who: what the message calls the user: its internal email, or another name where that is a secret.
        status: the HTTP status of the answer; None when there was none.
        may_exist: whether the request may have created the user all the same.
        transient: whether the same request may succeed later.
        attempts: how often it was tried.
        tries: how often it is worth trying altogether; None for as long as the time lasts.
        patience: seconds after which further tries are not worth it; None for the whole time.
    """

    may_exist = False
    transient = False
    attempts = 1
    tries: int | None = None
    patience: float | None = None

    def __init__(self, internal_email: str, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.who = internal_email
        self.status = status

    def __str__(self) -> str:
        tried = f" (Tried {self.attempts} times.)" if self.attempts > 1 else ""
        return f"{self.who}: {self.reason}{tried}"

    @property
    def reason(self) -> str:
        """The message without the user and without how often it was tried, so that users can share a reason."""
        return super().__str__()

    def call_user(self, name: str) -> None:
        """Let the message call the user by another name, and show no address."""
        self.who = name

    @property
    def is_general(self) -> bool:
        """Whether nothing was added that is true of this user alone."""
        return not self.added


class CredentialsRefused(ProvisioningError):
    """401: the provisioner key is not accepted. Nothing was created."""


class NotAProvisioner(ProvisioningError):
    """403: the account may not create users, or the key is another account's. Nothing was created."""


class UserExists(ProvisioningError):
    """409, or 400 or 422 that says "exists": there is such a user already. Nothing was created."""


class KeyRefused(ProvisioningError):
    """401 for a key that was to be adopted. Nothing was stored."""


class KeyNotTried(ProvisioningError):
    """OpenFunnel did not say whether a key that was to be adopted works. Nothing was stored."""


class RequestRefused(ProvisioningError):
    """A redirect, or a 4xx without a class of its own. Nothing was created."""


class ForeignPage(ProvisioningError):
    """401, 403 or 407 with a page that is not OpenFunnel's: a proxy, a firewall or a portal stands in between.

    Says nothing of the provisioner key. Nothing was created.
    """

    transient = True
    tries = 3


class RateLimited(ProvisioningError):
    """429, or 503 with a time: OpenFunnel asks to wait.

    Attributes:
        retry_after: seconds to wait, as the server said; None when it did not.
    """

    transient = True

    def __init__(self, internal_email: str, reason: str, retry_after: float | None, status: int = 429) -> None:
        super().__init__(internal_email, reason, status)
        self.retry_after = retry_after
        self.may_exist = status != 429


class ServerFault(ProvisioningError):
    """5xx, 408 or 425: whether the user was created is unknown."""

    may_exist = True
    transient = True


class Unreachable(ProvisioningError):
    """No answer, or none that came to its end.

    Attributes:
        sent: whether the request may have reached the server, so that the user may exist.
    """

    def __init__(self, internal_email: str, reason: str, *, sent: bool, transient: bool = True) -> None:
        super().__init__(internal_email, reason)
        self.sent = self.may_exist = sent
        self.transient = transient


class AnswerNotBelieved(ProvisioningError):
    """A 2xx that is not JSON, or without a usable id and key, or for another email. Nothing of it was used.

    Attributes:
        problem: what is wrong with the answer, as the words behind "OpenFunnel answered 200, but".
    """

    may_exist = True

    def __init__(self, internal_email: str, reason: str, status: int | None, problem: str) -> None:
        super().__init__(internal_email, reason, status)
        self.problem = problem


class AnotherEndUser(ProvisioningError):
    """The user, or the key, is another end user's.

    Attributes:
        nameless: the reason as it is shown where addresses are secret.
    """

    def __init__(self, internal_email: str, reason: str, nameless: str) -> None:
        super().__init__(internal_email, reason)
        self.nameless = nameless

    def call_user(self, name: str) -> None:
        super().call_user(name)
        self.args = (self.nameless,)


class KeySealed(ProvisioningError):
    """The ledger holds the user's key, sealed under a key that is not at hand. No request was sent."""


class InProgress(ProvisioningError):
    """Another run is creating the user. No request was sent."""


class Stopped(ProvisioningError):
    """The operation was cancelled, or the engine is gone. No further request was started."""
