"""What a request for one user writes into the ledger on its way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..api.answers import Answer, CreatedUser
from ..errors import AnswerNotBelieved, LedgerUnusable, OpenFunnelError, ProvisioningError, UserExists
from ..ledger.rows import Row, Status
from ..operation import Operation
from .refusals import SHOW, shared_key

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..ledger.sealing import Seal

E = TypeVar("E", bound=OpenFunnelError)


class Intent(Protocol):
    """What is written down of one user's requests."""

    def sending(self) -> None:
        """A request goes out."""

    def keep(self, answer: Answer) -> None:
        """An answer came, and nothing of it was looked at yet."""

    def failed(self, error: ProvisioningError) -> None:
        """A request failed."""

    def issued(self, created: CreatedUser, fingerprint: str) -> None:
        """The answer was believed."""

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        """The answer is not used; the error to raise."""

    def left(self, error: ProvisioningError) -> ProvisioningError:
        """Nothing came of it; the error to raise."""

    def let_go(self) -> None:
        """No further request will go out."""


class Recorded(Intent):
    """A row of the ledger that is this process's to ask for.

    The row is on the disk before the request goes out, and the answer before it is looked at.
    """

    def __init__(self, ledger: Ledger, row: Row, seal: Seal, operation: Operation) -> None:
        self._ledger = ledger
        self._row = row
        self._seal = seal
        self._operation = operation
        self._announced = True  # begin has counted the first request
        self._lost = row.unanswered - 1  # requests whose answer is not known
        self._lost_before = self._lost > 0
        self._unkept: LedgerUnusable | None = None

    def sending(self) -> None:
        """Write down that a request goes out, or fail: no ledger, no request."""
        if not self._announced:
            try:
                self._ledger.sending(self._row)
            except LedgerUnusable as error:
                raise self._may_exist(error) from None
        self._announced = False
        self._lost += 1

    def keep(self, answer: Answer) -> None:
        """Write an answer down. When that fails, it is for the state alone to hold its key."""
        identity = self._row.identity
        sealed = self._seal.seal(answer.body, identity.bound)
        try:
            if answer.whole:
                self._ledger.answered(self._row, sealed, self._seal.key_id)
            else:
                self._ledger.cut_off(self._row, sealed, self._seal.key_id, "its connection broke off")
        except LedgerUnusable as error:
            self._unkept = error

    def failed(self, error: ProvisioningError) -> None:
        """Count what a failed request left open."""
        if not error.may_exist:
            self._lost -= 1
            with self._warned():
                self._ledger.nothing_done(self._row)

    def issued(self, created: CreatedUser, fingerprint: str) -> None:
        """The answer was believed.

        Raises:
            AnotherEndUser: when the key is another's.
        """
        try:
            if self._unkept is not None:
                raise self._unkept
            other = self._ledger.issued(self._row, fingerprint)
        except LedgerUnusable as error:
            self._operation.warn(
                created.email,
                f"key in Pulumi's state alone, because the ledger could not be written after the answer. {error}",
            )
            return
        if other is not None:
            raise self.doubted(shared_key(self._row.identity, fingerprint, other.identity))

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        """The answer is not used; the error that says where it is."""
        if self._unkept is not None:
            return error
        problem = error.problem if isinstance(error, AnswerNotBelieved) else "its key is another user's"
        with self._warned():
            self._ledger.doubted(self._row, problem)
        error.add(f"The answer is kept, sealed: {SHOW} --show-keys.")
        return error

    def left(self, error: ProvisioningError) -> ProvisioningError:
        """Nothing came of it; the error that says what probably happened."""
        with self._warned():
            if self._announced:
                self._ledger.nothing_done(self._row)  # the one that was counted never went out
            self._ledger.leave(self._row, refused=not error.may_exist and not error.transient)
        if isinstance(error, UserExists) and (self._lost > 0 or self._cut_off()):
            return self._probably_ours(error)
        return error if error.may_exist else self._may_exist(error)

    def let_go(self) -> None:
        """This process is not at the row any more, whatever could be written of it."""
        self._ledger.let_go(self._row)

    def _may_exist(self, error: E) -> E:
        """The error, which also says so when an earlier request may have created the user."""
        if self._lost > 0:
            error.add("An earlier request, whose answer was lost, may have created the user.")
        return error

    def _cut_off(self) -> bool:
        """Whether the ledger keeps answers of this user that could not be used."""
        rows = self._ledger.history(self._row.identity)
        return any(row.status is Status.ANSWERED and row.problem is not None for row in rows)

    def _probably_ours(self, error: UserExists) -> UserExists:
        who = self._row.identity.internal_email
        run = "an earlier run" if self._lost_before or self._lost <= 0 else "this run"
        kept = f"What came of its answer is kept, sealed: {SHOW} --show-keys. " if self._cut_off() else ""
        return UserExists(
            who,
            f"exists already ({error.status}). A request of {run}, whose answer was lost, probably created it. {kept}To "
            "get its key, sign up at OpenFunnel again with its internal email, which answers with the key, or ask "
            "OpenFunnel; then pass it as existing_api_key.",
            error.status,
        )

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """A ledger that fails after the fact is told of, and hides no other error."""
        try:
            yield
        except LedgerUnusable as error:
            self._operation.warn(self._row.identity.internal_email, str(error))


class Unrecorded(Intent):
    """Requests without a ledger, for those who turned it off."""

    def sending(self) -> None: ...

    def keep(self, answer: Answer) -> None: ...

    def failed(self, error: ProvisioningError) -> None: ...

    def issued(self, created: CreatedUser, fingerprint: str) -> None: ...

    def doubted(self, error: ProvisioningError) -> ProvisioningError:
        return error

    def left(self, error: ProvisioningError) -> ProvisioningError:
        return error

    def let_go(self) -> None: ...
