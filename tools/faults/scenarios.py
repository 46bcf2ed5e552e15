"""What is done to a stack while its users are being created."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness import Running, wait_until
from harness.processes import kill, living_on, providers_of
from pulumi_openfunnel.ledger.leases import LEASE

from .server import Weather
from .trial import Trial

_PROVIDER_START = 30.0  # seconds
_DYING = 6.0  # seconds that the engine gives a provider at its second Ctrl-C, and one more
_STUCK = 8.0  # seconds, after which an operator takes an update for stuck
_RUNNERS = 3
STACK = "dev"


def kill_cli(trial: Trial) -> None:
    """The provider lives on, and its answers reach the ledger."""
    update = _midway(trial)
    trial.kill(update.pid)
    update.wait()


def kill_provider(trial: Trial) -> None:
    """The CLI lives on, and fails."""
    update = _midway(trial)
    _kill_provider(trial, update)
    update.wait()


def kill_both(trial: Trial) -> None:
    """The CLI first or the provider first."""
    update = _midway(trial)
    provider = _provider(update)
    order = trial.chance.sample([update.pid, provider or update.pid], 2)
    began = time.time()
    for pid in dict.fromkeys(order):
        trial.kill(pid)
    trial.deaths.append((began, time.time()))
    update.wait()


def machine_gone(trial: Trial) -> None:
    """Every process at once, the program and the language host as well."""
    update = _midway(trial)
    began = time.time()
    trial.kill_everything()
    trial.deaths.append((began, time.time()))
    update.wait()


def one_sigint(trial: Trial) -> None:
    """One Ctrl-C: what runs comes to its end."""
    update = _midway(trial)
    update.interrupt(group=trial.chance.random() < 0.5)
    update.wait()


def two_sigints(trial: Trial) -> None:
    """The second one makes the engine end its provider."""
    update, group = _midway(trial), trial.chance.random() < 0.5
    update.interrupt(group=group)
    time.sleep(trial.chance.uniform(0.1, 2.0))
    began = time.time()
    update.interrupt(group=group)
    update.wait()
    trial.deaths.append((began, time.time() + _DYING))


def sigterm(trial: Trial) -> None:
    """As a CI job's end sends it."""
    update = _midway(trial)
    update.terminate()
    update.wait()


def server_faults(trial: Trial) -> None:
    """Nothing but the server."""
    trial.stage.start_up(STACK).wait()


def state_unwritable(trial: Trial) -> None:
    """A file stands where the backend's directory was. The engine hangs then, whatever the resources are."""
    update = _midway(trial)
    directory = trial.chance.choice([trial.stage.state, trial.stage.state / ".pulumi" / "stacks"])
    away = directory.with_name(f"{directory.name}.away")
    began = time.time()
    directory.rename(away)
    directory.write_text("")
    update.ends_within(_STUCK)
    directory.unlink()
    away.rename(directory)
    for _ in range(2):
        if not update.ends_within(_STUCK):
            update.interrupt(group=False)
    update.wait()
    trial.deaths.append((began, time.time() + _DYING))


def torn_state(trial: Trial) -> None:
    """A kill within a state write: the file or its attributes are empty, or it ends in the middle."""
    update = _midway(trial)
    if trial.chance.random() < 0.5:
        _kill_provider(trial, update)
    trial.kill(update.pid)
    update.wait()
    state = trial.stage.checkpoint(STACK)
    content, attributes = state.read_bytes(), state.with_name(f"{state.name}.attrs")
    torn, length = trial.chance.choice([(attributes, 0), (state, 0), (state, len(content) // 2)])
    if torn is attributes or state.with_name(f"{state.name}.bak").exists():
        torn.write_bytes(content[:length])


def two_stacks(trial: Trial) -> None:
    """Two stacks declare the same users and share the ledger; one of them is killed now and then."""
    trial.stage.add_stack("other")
    updates = [trial.stage.start_up(stack) for stack in trial.stage.stacks]
    if trial.chance.random() < 0.5:
        trial.midway(*updates)
        trial.kill(trial.chance.choice(updates).pid)
    for update in updates:
        update.wait()


def impatient_operator(trial: Trial) -> None:
    """An update that starts while the old provider still waits for its answers."""
    update = _midway(trial)
    trial.kill(update.pid)
    update.wait()
    trial.stage.pulumi("cancel", "--yes", STACK)


def runners(accident: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """The same accident to three runners, one after the other: of each, only the state and a shared ledger are left."""

    def play(trial: Trial) -> None:
        for _ in range(_RUNNERS):
            accident(trial)
            trial.look()
            trial.next_machine()
            trial.stage.pulumi("cancel", "--yes", STACK, check=False)

    return play


def frozen(trial: Trial) -> None:
    """A machine that stands still for longer than its lease and goes on; in between another one wants the same users."""
    trial.stage.add_stack("other")
    update = _midway(trial)
    began = time.time()
    processes = [pid for pid in living_on(trial.stage.root) if kill(pid, signal.SIGSTOP)]
    trial.deaths.append((began, time.time()))  # an answer that comes too late for its request is none
    other = trial.stage.start_up("other")
    time.sleep(LEASE + _STUCK)
    for pid in processes:
        kill(pid, signal.SIGCONT)
    other.wait()
    update.wait()


def skipped_checkpoints(trial: Trial) -> None:
    """Nothing is in the state before an update's end, so that all that a kill leaves is in the ledger."""
    trial.stage.setenv(PULUMI_EXPERIMENTAL="true", PULUMI_SKIP_CHECKPOINTS="true")
    runners(trial.chance.choice([kill_cli, kill_provider, kill_both]))(trial)


def _midway(trial: Trial) -> Running:
    update = trial.stage.start_up(STACK)
    trial.midway(update)
    return update


def _provider(update: Running) -> int | None:
    found: list[int] = []

    def look() -> bool:
        found.extend(providers_of(update.pid))
        return bool(found) or update.over

    wait_until(look, _PROVIDER_START)
    return found[0] if found else None


def _kill_provider(trial: Trial, update: Running) -> None:
    provider, began = _provider(update), time.time()
    if provider is not None:
        trial.kill(provider)
        trial.deaths.append((began, time.time()))


def _any_weather(chance: random.Random) -> Weather:
    return Weather.by_chance(chance)


def _fair(chance: random.Random) -> Weather:
    return Weather.by_chance(chance, rates=(0.0,))


def _slow(chance: random.Random) -> Weather:
    return Weather.by_chance(chance, rates=(0.0,), latency=(2.0, 3.0))


def _foul(existing: str) -> Callable[[random.Random], Weather]:
    return lambda chance: Weather.by_chance(chance, rates=(0.3,), existing=existing)


@dataclass(frozen=True)
class Scenario:
    """One kind of accident.

    Attributes:
        name: as the table shows it.
        play: lets it happen.
        weather: chooses how the server behaves.
    """

    name: str
    play: Callable[[Trial], None]
    weather: Callable[[random.Random], Weather] = _any_weather


SCENARIOS = (
    Scenario("kill -9 CLI", kill_cli),
    Scenario("kill -9 provider", kill_provider),
    Scenario("kill -9 both", kill_both),
    Scenario("impatient operator", impatient_operator, _slow),
    Scenario("torn state file", torn_state),
    Scenario("machine gone", machine_gone),
    Scenario("one Ctrl-C", one_sigint),
    Scenario("two Ctrl-C", two_sigints),
    Scenario("SIGTERM", sigterm),
    Scenario("state unwritable", state_unwritable),
    Scenario("two stacks", two_stacks, _fair),
    Scenario("runners, CLI", runners(kill_cli)),
    Scenario("runners, provider", runners(kill_provider)),
    Scenario("runners, both", runners(kill_both)),
    Scenario("frozen runner", frozen, _fair),
    Scenario("skipped checkpoints", skipped_checkpoints),
    Scenario("faults, 409", server_faults, _foul("409")),
    Scenario("faults, same key", server_faults, _foul("same-key")),
    Scenario("faults, new key", server_faults, _foul("new-key")),
)
"""All of them; the first ones are the short form."""
