"""``make demo``: a real ``pulumi up`` creates an OpenFunnel user, against a simulator on this machine.

Everything lives in a directory of its own, which is removed at the end, also when the demo is interrupted.
"""

from __future__ import annotations

import secrets
import signal
import sys
import tempfile
from pathlib import Path

import httpx

from harness import Failed, Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

QUICKSTART = Path(__file__).resolve().parent.parent / "examples" / "quickstart" / "__main__.py"
ORCHESTRATOR = "guy@orchestrator.com"


def main() -> int:
    """Tell the story; the exit status says whether all of it was true."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    provisioner_key = f"of_{secrets.token_urlsafe(24)}"
    accounts = Accounts([Account(ORCHESTRATOR, provisioner_key)])
    try:
        with tempfile.TemporaryDirectory(prefix="openfunnel-demo-") as directory, serve(accounts) as base_url:
            tell_story(Stage(Path(directory)), base_url, provisioner_key, accounts)
    except Failed as error:
        print(f"\nThe demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.")
        return 130
    return 0


def tell_story(stage: Stage, base_url: str, provisioner_key: str, accounts: Accounts) -> None:
    say(
        f"An OpenFunnel of our own serves {base_url}.",
        f"There {ORCHESTRATOR} is an orchestrator: its key may create users.",
    )
    stage.run("stack", "init", "demo")
    stage.run("config", "set", "openfunnel:baseUrl", base_url)
    stage.show("config", "set", "openfunnel:userId", ORCHESTRATOR)
    stage.show("config", "set", "--secret", "openfunnel:apiKey", stdin=provisioner_key)

    say("The program:", *(f"    {line}" for line in program_lines()))

    say("What would happen? The internal email is known already, and nothing is created.")
    stage.show("preview", "--suppress-progress")
    expect(not accounts.users, "a preview created a user")

    say("Now for real.")
    stage.show("up", "--yes", "--skip-preview", "--suppress-progress")

    say("The key is a secret in Pulumi, and shown only to who asks for it:")
    stage.show("stack", "output", "alice_internal_email")
    stage.show("stack", "output", "alice_api_key")
    key = stage.show("stack", "output", "alice_api_key", "--show-secrets").strip()
    expect([(user.email, user.api_key) for user in accounts.users] == [("alice@orchestrator.com", key)], "another key")

    say("It works. OpenFunnel bills it to the orchestrator's credits:")
    print("$ curl -H 'X-API-Key: ...' $BASE_URL/api/v1/credits/balance")
    balance = httpx.get(f"{base_url}/api/v1/credits/balance", headers={"X-API-Key": key}, trust_env=False)
    expect(balance.status_code == httpx.codes.OK, "the key does not work")
    print(balance.text)

    say("Once more: nothing to do, and OpenFunnel is not asked again.")
    stage.show("up", "--yes", "--skip-preview", "--suppress-progress", "--expect-no-changes")
    expect(len(accounts.users) == 1, "a second user")
    say("That was all of it. Next: the README's first screen, with your own account.")


class Stage:
    """The quickstart's program, and commands as a reader would see them."""

    def __init__(self, directory: Path) -> None:
        self._project = Project(directory, name="openfunnel-quickstart")
        self._project.write(QUICKSTART.read_text())

    def run(self, *args: str, stdin: str = "") -> str:
        """Run one command of the Pulumi CLI and return what it printed."""
        return self._project.pulumi(*args, stdin=stdin).output

    def show(self, *args: str, stdin: str = "") -> str:
        """Run one command, and show it with what it printed."""
        print(f"$ pulumi {' '.join(args)}", flush=True)
        output = self.run(*args, stdin=stdin)
        lines = [line for line in output.splitlines() if line.strip()]
        print("\n".join(lines), end="\n" if lines else "", flush=True)
        return output


def program_lines() -> list[str]:
    """The quickstart's program, without its docstring."""
    source = QUICKSTART.read_text()
    return [line for line in source.splitlines() if line and not line.startswith('"""')]


def say(*lines: str) -> None:
    print("", *lines, sep="\n", flush=True)


def expect(truth: bool, otherwise: str) -> None:  # noqa: FBT001
    if not truth:
        raise SystemExit(f"The demo is not true: {otherwise}.")


if __name__ == "__main__":
    sys.exit(main())
