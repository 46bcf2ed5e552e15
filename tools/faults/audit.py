"""What a run did to its keys: the server's own record against what ledger and states hold."""

from __future__ import annotations

import operator
import re
from dataclasses import astuple, dataclass, field

from .server import Request
from .stage import Kept
from .trial import Trial

_TELLTALE = 19  # characters of a key that are as good as all of it, for who looks for keys in the clear
_SPOILT = frozenset({"500-after", "drop-after", "half-body", "endless", "garbage"})
_LATE = {"hold": 2.0, "trickle": 12.0}  # seconds that a fault may delay an answer
_ARRIVES = 1.0  # seconds after which the server, when it is busy, has seen what a provider sent that is dead by then
_SLACK = 1.0  # seconds between the end of an answer and its place in the ledger, on a machine that is busy


@dataclass(frozen=True)
class Tally:
    """The numbers of one run, or of many. From ``lost`` on each must be zero.

    Attributes:
        runs: how many.
        kills: the kill -9 that hit a CLI or a provider.
        faults: played by the server.
        issued: keys, by the server's record.
        in_flight: answers with a key that were spoilt, or on their way to a provider that died.
        lost: keys that were on the disk and are nowhere, or that came and never got there.
        twice: requests for users whose key was on the disk, or that are explained by nothing.
        wrong: users whose stored key is not their current one, or that share one.
        clear: files, objects and rows that show a key.
        left: processes that outlived their run by 30 s.
        blocked: updates that a run stopped which had been dead for longer than its lease.
        other: whatever else went wrong, such as a run that did not recover.
    """

    runs: int = 0
    kills: int = 0
    faults: int = 0
    issued: int = 0
    in_flight: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    clear: int = 0
    left: int = 0
    blocked: int = 0
    other: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(operator.add, astuple(self), astuple(other)))

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return not any((self.lost, self.twice, self.wrong, self.clear, self.left, self.blocked, self.other))


@dataclass(frozen=True)
class Verdict:
    """A run's numbers, and a line for each thing that went wrong in it. No line holds a key."""

    tally: Tally
    problems: list[str] = field(default_factory=list)


def judge(trial: Trial, left: dict[int, str]) -> Verdict:
    """Compare all that is known of a run that is over.

    Args:
        trial: what was done and seen.
        left: the processes that it left behind.
    """
    requests = trial.stage.server.requests()
    by_user: dict[str, list[Request]] = {}
    for request in sorted(requests, key=lambda request: request.at):
        by_user.setdefault(request.email, []).append(request)
    explained = [
        request for asked in by_user.values() for n, request in enumerate(asked) if _explained(trial, asked, n)
    ]
    lost = _lost(trial, requests, explained)
    twice = _twice(by_user, explained)
    wrong, missing = _wrong(trial), _missing(trial)
    clear = _in_the_clear(trial, [*_keys(requests), trial.stage.server.api_key])
    processes = [f"process {pid} lives on: {command}" for pid, command in left.items()]
    tally = Tally(
        runs=1,
        kills=trial.kills,
        faults=sum(request.fault is not None for request in requests),
        issued=len(_keys(requests)),
        in_flight=len(explained),
        lost=len(lost),
        twice=len(twice),
        wrong=len(wrong),
        clear=len(clear),
        left=len(processes),
        blocked=len(trial.blocked),
        other=len(missing) + len(trial.problems),
    )
    return Verdict(tally, [*lost, *twice, *wrong, *clear, *processes, *trial.blocked, *missing, *trial.problems])


def _keys(requests: list[Request]) -> set[str]:
    return {request.key for request in requests if request.key is not None}


def _explained(trial: Trial, asked: list[Request], n: int) -> bool:
    """Whether an answer with a key could not reach the disk: the server spoilt it, or the provider died over it."""
    request = asked[n]
    if request.key is None:
        return False
    if request.fault in _SPOILT:
        return True
    before = asked[n + 1].at if n + 1 < len(asked) else float("inf")
    kept = any(request.at <= at <= before and seen.holds(request.key) for at, seen in trial.seen)
    return not kept and any(_on_its_way(trial, request, *death) for death in trial.deaths)


def _on_its_way(trial: Trial, request: Request, began: float, ended: float) -> bool:
    takes = trial.stage.server.weather.latency + _LATE.get(request.fault or "", 0.0) + _SLACK
    return began - takes <= request.at <= ended + _ARRIVES


def _lost(trial: Trial, requests: list[Request], explained: list[Request]) -> list[str]:
    problems = []
    final = trial.seen[-1][1]
    for request in requests:
        if request.key is None or final.holds(request.key):
            continue
        if any(seen.holds(request.key) for _, seen in trial.seen):
            problems.append(f"{request.email}: its key was on the disk, and is neither in the state nor in the ledger")
        elif request not in explained:
            problems.append(
                f"{request.email}: its answer never reached the disk, though nothing stood in its way "
                f"({_when(trial, request)})"
            )
    return problems


def _when(trial: Trial, request: Request) -> str:
    """The times that tell whether it was in flight when a provider died, in seconds from when it was asked."""
    deaths = ", ".join(f"{began - request.at:+.2f} to {ended - request.at:+.2f}" for began, ended in trial.deaths)
    looks = ", ".join(f"{at - request.at:+.2f}" for at, _ in trial.seen)
    latency = trial.stage.server.weather.latency
    return (
        f"fault {request.fault or 'none'}, latency {latency:.2f} s, deaths {deaths or 'none'}, looks {looks or 'none'}"
    )


def _twice(by_user: dict[str, list[Request]], explained: list[Request]) -> list[str]:
    """Each request after the first needs one before it that created nothing, or whose answer was lost."""
    problems = []
    for email, asked in by_user.items():
        excuses = sum(not request.done or request in explained for request in asked)
        if len(asked) > 1 + excuses:
            story = ", ".join(f"{request.status} {request.fault or ''}".strip() for request in asked)
            problems.append(f"{email}: asked for {len(asked)} times with {excuses} reasons ({story})")
    return problems


def _wrong(trial: Trial) -> list[str]:
    keys, problems = trial.stage.server.keys(), []
    for stack, users in trial.seen[-1][1].users.items():
        holders: dict[str, str] = {}
        for email, key in users:
            if key not in keys.get(email, [])[-1:]:
                problems.append(f"{stack}: {email} has a key that is not its current one")
            if holders.setdefault(key, email) != email:
                problems.append(f"{stack}: {email} and {holders[key]} have one key")
    return problems


def _missing(trial: Trial) -> list[str]:
    final: Kept = trial.seen[-1][1]
    problems = []
    for stack in trial.stage.stacks:
        users = {email for email, _ in final.users[stack]}
        if len(users) != trial.stage.users:
            problems.append(f"{stack}: holds {len(users)} of {trial.stage.users} users at the end")
        if final.pending[stack]:
            problems.append(f"{stack}: {final.pending[stack]} operations are pending at the end")
    return problems


def _in_the_clear(trial: Trial, keys: list[str]) -> list[str]:
    """The files and the ledger's documents that show any of these keys, or the start of one."""
    telltale = re.compile(b"|".join(re.escape(key[:_TELLTALE].encode()) for key in keys))
    root = trial.stage.root
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    shown = [str(path.relative_to(root)) for path in files if telltale.search(path.read_bytes())]
    written = {one for _, seen in trial.seen for one in seen.documents.items()}
    shown += [name for name, body in sorted(written) if telltale.search(name.encode()) or telltale.search(body)]
    return [f"{name} shows a key" for name in shown]
