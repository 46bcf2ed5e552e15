"""What is written down of one user's requests on their way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..api.answers import Answer
from ..errors import AnswerNotBelieved, LedgerUnusable, OpenFunnelError, ProvisioningError, UserExists
from ..operation import Operation
from . import refusals
from .refusals import SHOW

if TYPE_CHECKING:
    from ..ledger.rules import Ledger
    from ..ledger.sealing import Seal
    from ..ledger.turns import Asked
    from .keys import ProvisionedKey

INSISTENCE = 900.0  # seconds for which a write after an answer is tried
_LAST_INSISTENCE = 60.0  # the same, once the operation stops

E = TypeVar("E", bound=OpenFunnelError)


class BeginAgain(Exception):
    """Somebody else may be at the user, or have its key: what was begun is over, and the user's turn is looked at anew."""


class Intent(Protocol):
    """What is written down of one user's requests."""

    def sending(self) -> None:
        """A request is about to go out."""

    def keep(self, answer: Answer) -> None:
        """An answer came, and nothing of it was looked at yet."""

    def failed(self, error: ProvisioningError) -> None:
        """A request failed."""

    def issued(self, key: ProvisionedKey) -> None:
        """The answer was believed."""

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        """The answer is not used; the error to raise."""

    def left(self, error: ProvisioningError) -> ProvisioningError:
        """Nothing came of it; the error to raise."""

    def let_go(self) -> None:
        """No further request will go out."""


class Recorded(Intent):
    """An attempt in the ledger that is this process's to make.

    It is on the store before a request goes out, and the answer before it is looked at.
    """

    def __init__(self, ledger: Ledger, asked: Asked, seal: Seal, operation: Operation) -> None:
        self._ledger = ledger
        self._asked = asked
        self._seal = seal
        self._operation = operation
        self._lost_before = asked.lost_before  # whether an earlier run's answer was lost
        self._lost = 0  # requests of the attempt whose answer is not known
        self._sent = False  # whether there was a request
        self._cut_off = False  # whether the last answer was, so that its place is taken
        self._anew = False  # whether an answer before was
        self._unkept: LedgerUnusable | None = None
        self._insists_since: float | None = None

    def sending(self) -> None:
        """Be sure that the attempt is still this run's, or fail: no ledger, no request.

        Raises:
            BeginAgain: when it is not.
            LedgerUnusable: when it cannot be said.
        """
        try:
            if self._cut_off:
                self._take_another_place()
            lives = self._ledger.sending(self._asked)
        except LedgerUnusable as error:
            raise self._unsent(error) from None
        if not lives:
            with self._warned():
                self._ledger.leave(self._asked, lost=self._lost > 0)
            raise BeginAgain
        self._lost += 1
        self._sent = True

    def keep(self, answer: Answer) -> None:
        """Write an answer down. When that fails, it is for the state alone to hold its key."""
        self._cut_off, self._unkept = not answer.whole, None
        try:
            self._ledger.answered(self._asked, answer.body, self._seal, whole=answer.whole, again=self._insist)
        except LedgerUnusable as error:
            self._unkept = error

    def failed(self, error: ProvisioningError) -> None:
        if not error.may_exist:
            self._lost -= 1

    def issued(self, key: ProvisionedKey) -> None:
        """Claim the key.

        Raises:
            AnotherEndUser: when it is another's.
            BeginAgain: when another run may have a newer one.
        """
        try:
            taken = self._ledger.claim(self._asked, key.api_key, again=self._insist)
            if taken is None and self._unkept is not None:
                raise self._unkept
            lapsed = self._ledger.lapsed(self._asked)
        except LedgerUnusable as error:
            self._operation.warn(
                self._asked.identity.internal_email,
                f"key in Pulumi's state alone, because the ledger could not be written after the answer. {error}",
            )
            return
        if taken is not None:
            raise self.doubted(refusals.taken_key(self._asked.identity, key.fingerprint, taken.user))
        if lapsed:
            raise BeginAgain

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        """The answer is not used; the error that says where it is."""
        if self._unkept is not None:
            return error
        problem = error.problem if isinstance(error, AnswerNotBelieved) else "its key is another user's"
        with self._warned():
            self._ledger.doubt(self._asked, problem, again=self._insist)
        error.add(f"The answer is kept, sealed: {SHOW} --show-keys.")
        return error

    def left(self, error: ProvisioningError) -> ProvisioningError:
        """Nothing came of it; the error that says what probably happened.

        Raises:
            BeginAgain: when the user exists, and another run has its key, or is about to.
        """
        if isinstance(error, UserExists):
            return self._exists(error)
        self._leave(error)
        return error if error.may_exist else self._may_exist(error)

    def let_go(self) -> None:
        """This process is not at the attempt any more, whatever could be written of it."""
        self._ledger.let_go(self._asked)

    def _exists(self, error: UserExists) -> ProvisioningError:
        from ..ledger.turns import Nothing, Taken

        with self._warned():
            found = self._ledger.look_again(self._asked)
            self._leave(error)
            if isinstance(found, Taken):
                return refusals.another_end_user(self._asked.identity, found.user)
            if not isinstance(found, Nothing):
                raise BeginAgain
            if self._is_lost or found.lost_before or found.unused:
                earlier = self._lost_before or not self._is_lost
                return refusals.probably_ours(error, earlier=earlier, kept=found.unused)
        return error

    def _leave(self, error: ProvisioningError) -> None:
        lost = self._lost > 0 or error.may_exist
        with self._warned():
            self._ledger.leave(self._asked, lost=lost, problem=None if lost else error.reason, again=self._insist)

    def _take_another_place(self) -> None:
        """The place of the attempt's answer is taken by one that was cut off."""
        anew = self._ledger.anew(self._asked)
        if anew is None:
            raise BeginAgain
        self._asked, self._lost, self._cut_off, self._anew = anew, 0, False, True

    @property
    def _is_lost(self) -> bool:
        """Whether an answer to a request of this run was lost."""
        return self._lost > 0 or self._anew

    def _unsent(self, error: LedgerUnusable) -> LedgerUnusable:
        """A ledger that fails before a request, which does not go out; the attempt is closed if that is possible."""
        with contextlib.suppress(LedgerUnusable):
            self._ledger.leave(self._asked, lost=self._lost > 0)
        if not self._sent:
            error.add("No request was sent.")
        return self._may_exist(error)

    def _may_exist(self, error: E) -> E:
        """The error, which also says so when an earlier request may have created the user."""
        if self._is_lost or self._lost_before:
            error.add("An earlier request, whose answer was lost, may have created the user.")
        return error

    def _insist(self, seconds: float) -> bool:
        """Wait before a write after an answer is tried again; whether it is worth it."""
        now = time.monotonic()
        self._insists_since = self._insists_since or now
        most = _LAST_INSISTENCE if self._operation.stopping() else INSISTENCE
        if now - self._insists_since > most:
            return False
        who = self._asked.identity.internal_email
        self._operation.progress(who, "answered; the ledger cannot be written yet. Trying again.")
        time.sleep(min(seconds, 1.0) if self._operation.stopping() else seconds)
        return True

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """A ledger that fails after the fact is a warning, and hides no other error."""
        try:
            yield
        except LedgerUnusable as error:
            self._operation.warn(self._asked.identity.internal_email, str(error))


class Unrecorded(Intent):
    """Requests without a ledger, for those who turned it off."""

    def sending(self) -> None: ...

    def keep(self, answer: Answer) -> None: ...

    def failed(self, error: ProvisioningError) -> None: ...

    def issued(self, key: ProvisionedKey) -> None: ...

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        return error

    def left(self, error: ProvisioningError) -> ProvisioningError:
        return error

    def let_go(self) -> None: ...
