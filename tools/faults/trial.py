"""One run of the campaign: a stage, what was done to it, and what was seen of its keys."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from harness import Done, Running, wait_until
from harness.processes import kill, living_on
from harness.runbook import mend
from pulumi_openfunnel.ledger.leases import LEASE

from .stage import Kept, Stage

_ROUNDS = 25  # updates, after which a recovery has failed
_START = 60.0  # seconds for an update to come to its first requests


@dataclass
class Trial:
    """What happens on a stage.

    Attributes:
        stage: where.
        chance: decides whatever is not decided.
        kills: the kill -9 that hit a CLI or a provider.
        deaths: the times between which a provider died, or may have, with answers on their way to it.
        seen: what was on the disk, and when it had been read.
        blocked: updates that were stopped by a run which had been dead for longer than its lease.
        problems: what went wrong on the way; never a key.
    """

    stage: Stage
    chance: random.Random
    kills: int = 0
    deaths: list[tuple[float, float]] = field(default_factory=list)
    seen: list[tuple[float, Kept]] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    accident: float = 0.0
    """When the last process was killed or ended, on the monotonic clock."""

    def look(self) -> Kept:
        """Remember what is on the disk now."""
        kept = self.stage.kept()
        self.seen.append((time.time(), kept))
        return kept

    def issued(self) -> int:
        """How many keys the server has issued so far."""
        return sum(request.done for request in self.stage.server.requests())

    def midway(self, *running: Running) -> None:
        """Wait for a moment within these updates that chance chooses: at their start now and then."""
        if self.chance.random() < 0.1:
            time.sleep(self.chance.uniform(0.2, 2.5))
            return
        enough = self.issued() + self.chance.randrange(self.stage.users // 2 + 1)
        wait_until(lambda: self.issued() >= enough or all(update.over for update in running), _START)
        time.sleep(self.chance.uniform(0.0, self.stage.server.weather.latency))

    def kill(self, pid: int) -> None:
        """Send SIGKILL, and count it when it hits."""
        self.kills += kill(pid)
        self.accident = time.monotonic()

    def next_machine(self) -> None:
        """Where machines share the ledger, the one that the accident was on is thrown away."""
        if self.stage.shared:
            self.stage.next_machine()

    def recover(self, stack: str) -> None:
        """What the runbook says, until an update succeeds."""
        options = self.chance.choice([(), ("--continue-on-error",)])
        for _ in range(_ROUNDS):
            self.next_machine()
            began = time.monotonic()
            done = self.stage.start_up(stack, *options).wait()
            self.look()
            self._note_blocked(done, began)
            if done.status == 0:
                self._clear_pending(stack)
                return
            if not mend(self.stage, done, stack):
                self._adopt(stack, done)
        self.problems.append(f"{stack} did not recover in {_ROUNDS} updates: {' | '.join(done.errors)}")

    def _note_blocked(self, done: Done, began: float) -> None:
        """An update that outlived the lease of all that was killed waits for nobody."""
        late = began - self.accident > LEASE + self.stage.timeout
        self.blocked += [error for error in done.errors if late and "another run is creating this user" in error]

    def _clear_pending(self, stack: str) -> None:
        """Updates warn of pending operations until a refresh takes them away."""
        if self.seen[-1][1].pending[stack]:
            options = ("--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack)
            refreshed = self.stage.pulumi("refresh", *options, check=False)
            if refreshed.status:
                self.problems.append(f"{stack}: the refresh failed: {' | '.join(refreshed.errors)}")
            self.look()

    def _adopt(self, stack: str, done: Done) -> None:
        """Pass the keys of the users whose answers were lost, as who signed up again would have them."""
        for error in done.errors:
            who, found, _ = error.partition(": exists already (409)")
            if not found:
                continue
            if "whose answer was lost, probably created it" not in error:
                self.problems.append(f"the error does not say that a request probably created the user: {error}")
            name = who.rpartition(" ")[2].partition("@")[0]
            self.stage.set_secret(stack, f"existing-{name}", self.stage.server.keys()[who.rpartition(" ")[2]][-1])

    def end(self) -> dict[int, str]:
        """Wait until the run's processes have ended; those that have not are killed, and told."""
        left = self.stage.left_behind()
        self.look()
        return left

    def kill_everything(self) -> None:
        """SIGKILL for every process, as when the machine goes; it counts as one."""
        killed = [kill(pid) for pid in living_on(self.stage.root)]
        self.kills += any(killed)
        self.accident = time.monotonic()
