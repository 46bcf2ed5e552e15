"""A bare checkout, as its pages tell to use it: every command, word by word."""

from __future__ import annotations

import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness import Done, Project
from pulumi_openfunnel.simulator import Account, Accounts, serve

ROOT = Path(__file__).parents[2]
YOU = "you@yourco.com"
KEY = f"of_{secrets.token_urlsafe(24)}"  # a constant would be found in the checkout's own files
INSTALLS = 600.0  # seconds, at most, for what pip fetches and builds

PAGES = {
    "docs/quickstart.md": ["alice@yourco.com"],
    "examples/quickstart/README.md": ["alice@yourco.com"],
    "examples/roster/README.md": [f"{name}@yourco.com" for name in ("acme", "alice", "bob", "globex")],
    "examples/adoption/README.md": ["alice@yourco.com"],
}


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would give to who clones the repository with the changes at hand."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():  # one that was removed since
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture
def openfunnel() -> Iterator[tuple[str, Accounts]]:
    """An OpenFunnel where you@yourco.com may create users."""
    accounts = Accounts([Account(YOU, KEY)])
    with serve(accounts) as base_url:
        yield base_url, accounts


def test_every_example_has_a_page() -> None:
    """And installs the checkout into an environment of its own, as those that are followed here."""
    examples = [path.parent for path in ROOT.glob("examples/**/Pulumi.yaml")]
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*/README.md")} >= PAGES.keys() - {
        "docs/quickstart.md"
    }
    for example in examples:
        page = example if example.parent.name == "examples" else example.parent
        assert (page / "README.md").is_file()
        assert "virtualenv: venv" in (example / "Pulumi.yaml").read_text()
        checkout = "../.." if example.parent.name == "examples" else "../../.."
        assert checkout in (example / "requirements.txt").read_text().split()


def test_the_readme_is_the_quickstart() -> None:
    """Its commands are those of the quickstart, in the same order, so that following one follows both."""
    longer = iter(_commands(ROOT / "docs" / "quickstart.md"))
    assert all(command in longer for command in _commands(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.long
def test_a_page_is_followed_word_by_word(
    page: str, checkout: Path, openfunnel: tuple[str, Accounts], tmp_path: Path
) -> None:
    """The install makes the environment and installs the checkout; up creates the users, with keys that nobody sees."""
    base_url, accounts = openfunnel
    answers = {"openfunnel:apiKey": KEY}
    if page == "examples/adoption/README.md":
        answers["aliceKey"] = accounts.create("alice@yourco.com").api_key
    directory = checkout if page.startswith("docs/") else (checkout / page).parent
    project = Project(tmp_path, directory=directory, patience=INSTALLS)
    project.setenv(OPENFUNNEL_BASE_URL=base_url, PULUMI_SKIP_CONFIRMATIONS="true")
    done = {command: _typed(project, command, answers) for command in _commands(checkout / page)}
    assert "Finished installing dependencies" in done["pulumi install"].output
    assert (project.directory / "venv" / "bin" / "python").exists()
    assert sorted(user.email for user in accounts.users) == PAGES[page]
    for key in (*answers.values(), *(user.api_key for user in accounts.users)):
        shown = [command for command, run in done.items() if key in run.output and "--show-secrets" not in command]
        assert shown == project.grep(key) == []


@pytest.mark.long
def test_an_up_installs_by_itself(checkout: Path, openfunnel: tuple[str, Accounts], tmp_path: Path) -> None:
    """Without pulumi install, the first preview makes the environment that is missing; the next installs nothing."""
    base_url, accounts = openfunnel
    project = Project(tmp_path, directory=checkout / "examples" / "quickstart", patience=INSTALLS)
    project.setenv(OPENFUNNEL_BASE_URL=base_url, OPENFUNNEL_USER_ID=YOU, OPENFUNNEL_API_KEY=KEY)
    project.add_stack()
    assert "Finished installing dependencies" in project.pulumi("preview").output
    assert "dependencies" not in project.up().output
    assert [user.email for user in accounts.users] == ["alice@yourco.com"]


def _commands(page: Path) -> list[str]:
    """The commands of the first block of a page that installs."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    block = next(block for block in blocks if "$ pulumi install" in block)
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def _typed(project: Project, command: str, answers: Mapping[str, str]) -> Done:
    """Run a command as it is written; one that asks for a secret is given it."""
    words = shlex.split(command)
    assert words[0] == "pulumi"
    return project.pulumi(*words[1:], stdin=answers[words[-1]] if "--secret" in words else "")
