"""``doctor`` beside the real CLI."""

from __future__ import annotations

import pytest

from harness import Project
from pulumi_openfunnel.simulator import Accounts

from ..doctor_command import PASSWORD, Seen, seen
from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .projects import NewProject


def _sees(project: Project, *args: str) -> Seen:
    return seen({"NO_PROXY": "127.0.0.1", **project.environment}, *args, cwd=project.directory)


def _configured(new_project: NewProject, api: str) -> Project:
    """A project whose stack holds every setting, the key as a secret."""
    project = new_project()
    project.setenv(CI=None, OPENFUNNEL_LEDGER=None)
    for setting, value in (("userId", ORCHESTRATOR), ("baseUrl", api), ("ledger", str(project.ledger))):
        project.pulumi("config", "set", f"openfunnel:{setting}", value)
    project.pulumi("config", "set", "--secret", "openfunnel:apiKey", stdin=PROVISIONER_KEY)
    return project


def test_a_stack_s_settings(new_project: NewProject, api: str, accounts: Accounts) -> None:
    """Of the stack that is named, whichever is selected; before the first update, and after it. Nobody is created."""
    project = _configured(new_project, api)
    project.add_stack("empty")
    asked = _sees(project, "--stack", "dev")
    assert (asked.status, asked.told("mend"), asked.told("unknown")) == (0, [], [])
    assert asked.about("openfunnel:apiKey") == ["ok from the stack's config, not shown"]
    assert asked.about("state") == [f"ok at file://{project.state}"]
    assert accounts.users == []
    project.pulumi("stack", "select", "dev")
    project.up()
    used = _sees(project)
    assert (used.status, used.about("ledger entries")) == (0, ["ok 1, 1 of them with a sealed answer"])
    empty = _sees(project, "--stack", "empty")
    assert empty.status == 1
    assert empty.about("openfunnel:userId")[0].startswith("mend openfunnel:userId is not set. Run: pulumi config set")


@pytest.mark.long
def test_what_the_cli_cannot_do(new_project: NewProject, api: str) -> None:
    """An unknown stack, a missing passphrase, a misspelled setting, a state that cannot be reached: each by its name."""
    project = _configured(new_project, api)
    unknown = _sees(project, "--stack", "nope")
    assert unknown.to_mend() == (
        "stack: the config of nope cannot be read: no stack named 'nope' found. Run: pulumi stack ls."
    )
    project.setenv(PULUMI_CONFIG_PASSPHRASE=None)
    sealed = _sees(project, "--stack", "dev")
    told = "stack: the secrets of its config cannot be opened: passphrase must be set with PULUMI_CONFIG_PASSPHRASE"
    assert sealed.to_mend().startswith(told)
    assert sealed.about("openfunnel:userId") == [f"ok from the stack's config, {ORCHESTRATOR}"]
    assert sealed.about("openfunnel:apiKey") == ["unknown is a secret of the stack's config that could not be opened."]
    project.setenv(PULUMI_CONFIG_PASSPHRASE="correct horse battery staple")
    project.pulumi("config", "rm", "openfunnel:apiKey")
    project.pulumi("config", "set", "--secret", "openfunnel:apikey", stdin=PROVISIONER_KEY)
    assert _sees(project).to_mend().startswith("openfunnel:apikey: openfunnel:apikey is not a setting: did you mean ")
    project.setenv(PULUMI_BACKEND_URL=f"postgres://guy:{PASSWORD}@127.0.0.1:1/state")
    lost = _sees(project)
    assert lost.status == 2
    assert 'no config was read: unable to open state database "postgres://127.0.0.1:1/state"' in lost.about("stack")[0]
