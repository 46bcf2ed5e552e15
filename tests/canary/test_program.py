"""What the program's side leans on in Pulumi's SDK and in asyncio: ``program/failing.py``, ``program/claims.py``, ``frames.py``.

Each test fails when upstream changed one thing. Then the package goes on without what that gives, and the message says what.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from harness import clean_environment

BEGIN = """
import asyncio
import json
import time
import weakref
import pulumi
from pulumi.runtime import Mocks, Settings, configure, set_mocks
from pulumi.runtime.settings import get_monitor
from pulumi.runtime.stack import run_pulumi_func
from pulumi_openfunnel.program import failing
from pulumi_openfunnel.program.claims import Program

class Slow(Mocks):
    def new_resource(self, args):
        time.sleep(1.0)
        return "1", args.inputs

    def call(self, args):
        return {}

seen = {}
"""


def seen_by(program: str) -> dict[str, Any]:
    """What a program put into ``seen``, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN}{program}\nprint(json.dumps(seen))"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_the_program_raised_is_found() -> None:
    """The SDK holds it in a local ``ex`` of ``run_pulumi_func`` while it waits for the outputs that are left."""
    seen = seen_by(
        """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
set_mocks(Slow())

def program():
    async def look():
        await asyncio.sleep(0.2)
        seen["raised"] = str(failing.programs_exception())

    pulumi.Output.from_input(look())
    raise ValueError("mine")

try:
    loop.run_until_complete(run_pulumi_func(program))
except ValueError as error:
    seen["ended"] = str(error)
"""
    )
    assert seen == {"raised": "mine", "ended": "mine"}, (
        "pulumi.runtime.stack.run_pulumi_func does not hold the program's exception in a local `ex` any more: the verdict of "
        "a roster hides what the program itself raised (program/failing.py, programs_exception)"
    )


def test_a_call_to_the_engine_is_seen_while_it_lasts() -> None:
    """The SDK makes it in a thread of the loop's default executor, which stands in ``_worker`` when it is idle."""
    seen = seen_by(
        """
set_mocks(Slow())

@pulumi.runtime.test
def check():
    async def look():
        seen["before"] = failing.engine_is_called()
        resource = pulumi.CustomResource("test:index:Test", "test", {})
        created = asyncio.ensure_future(resource.urn.future())
        while not created.done():
            await asyncio.sleep(0.05)
            seen["during"] = seen.get("during", 0) + failing.engine_is_called()
        await asyncio.sleep(0.3)
        seen["after"] = failing.engine_is_called()
    return pulumi.Output.from_input(look())

check()
"""
    )
    assert seen["during"] > 5, (
        "a call to the engine runs in no thread of the loop's `_default_executor`: the program may end while a slow resource "
        "is created, and what reads that one is never registered (program/failing.py, engine_is_called)"
    )
    assert (seen["before"], seen["after"]) == (False, False), (
        "an idle thread of the loop's executor does not stand in `_worker`: a program with failed users never ends "
        "(program/failing.py, engine_is_called)"
    )


def test_a_sleeping_task_is_seen() -> None:
    """The loop holds its timer in ``_scheduled`` until it is over or cancelled."""
    seen = seen_by(
        """
async def look():
    seen["before"] = failing._something_sleeps()
    sleeper = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    seen["asleep"] = failing._something_sleeps()
    sleeper.cancel()
    await asyncio.wait([sleeper])
    seen["cancelled"] = failing._something_sleeps()

asyncio.run(look())
"""
    )
    assert seen == {"before": False, "asleep": True, "cancelled": False}, (
        "the event loop does not hold its timers in `_scheduled`: readers that sleep are not waited for beside a failed user, "
        "or a failed update takes half a minute longer (program/failing.py, _something_sleeps)"
    )


def test_a_task_that_moves_is_seen() -> None:
    """Its coroutines are ``cr_await`` of one another, and each frame tells where it stands."""
    seen = seen_by(
        """
async def inner():
    await asyncio.sleep(0.1)
    await gate.wait()

async def outer():
    await inner()

async def look():
    global gate
    gate = asyncio.Event()
    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    first = failing._position(task)
    await asyncio.sleep(0.3)
    second = failing._position(task)
    seen["names"] = [frame.f_code.co_name for frame in failing._frames(task)]
    await asyncio.sleep(0.1)
    seen["moved"] = [first != second, second != failing._position(task)]
    gate.set()
    await task

asyncio.run(look())
"""
    )
    assert seen["names"][:2] == ["outer", "inner"], (
        "a coroutine does not tell what it awaits: a program with failed users may end before the rest of it was registered "
        "(program/failing.py, _frames)"
    )
    assert seen["moved"] == [True, False], (
        "a coroutine's frame does not tell where it stands: a program with failed users ends too early, or never "
        "(program/failing.py, _position)"
    )


def test_the_monitor_tells_one_run_from_another() -> None:
    """It is one object for a whole run, in every task of it, another one for the next, and can be a weak key."""
    seen = seen_by(
        """
def run(number):
    configure(Settings("project", "stack", monitor=f"127.0.0.1:{number}", engine=f"127.0.0.1:{number}"))
    async def within():
        return Program.current(), get_monitor()
    current, monitor = asyncio.run(within())
    seen[f"run {number}"] = [monitor is get_monitor(), current is Program.current()]
    return current, monitor

(first, one), (second, other) = run(1), run(2)
seen["apart"] = [one is not other, first is not second]
seen["weak"] = weakref.ref(one)() is one
asyncio.set_event_loop(asyncio.new_event_loop())
set_mocks(Slow())
seen["mocked"] = [Program.current() is Program.current(), Program.current() not in (first, second)]
"""
    )
    assert seen == {
        "run 1": [True, True],
        "run 2": [True, True],
        "apart": [True, True],
        "weak": True,
        "mocked": [True, True],
    }, (
        "pulumi.runtime.settings.get_monitor() is not one object a run, or cannot be a weak key: collisions within a program "
        "are not found, or are found between two runs of one process (program/claims.py, Program.current)"
    )


def test_where_every_thread_stands_is_seen() -> None:
    """Also one that is blocked in a system call."""
    seen = seen_by(
        """
import threading
from pulumi_openfunnel.frames import current_frames

def blocked():
    event.wait()

def stands_in():
    frame, names = current_frames().get(thread.ident), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names

event = threading.Event()
thread = threading.Thread(target=blocked)
thread.start()
end = time.monotonic() + 30
while "blocked" not in stands_in() and time.monotonic() < end:
    time.sleep(0.01)
seen["found"] = "blocked" in stands_in()
event.set()
"""
    )
    assert seen == {"found": True}, (
        "sys._current_frames() does not tell where a thread stands: neither a provider process nor a program that fails knows "
        "when to end (frames.py)"
    )
