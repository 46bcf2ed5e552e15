"""``doctor``: Pulumi, the stack, the settings, and its own output."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ..doctor_command import COMMAND, PASSWORD, Doctor, provisioner
from ..servers import ORCHESTRATOR, PROVISIONER_KEY


def test_all_is_well(well: Doctor, api: str, path: Path) -> None:
    """Each setting with where it came from, the key's credits, the ledger's place, the state's; nothing is made."""
    seen = well.sees(OPENFUNNEL_USER_ID="somebody@else.com")
    assert (seen.status, seen.told("mend"), seen.told("unknown")) == (0, [], [])
    assert seen.about("Pulumi CLI") == ["ok 3.259.0"]
    assert seen.about("openfunnel:userId") == [f"ok from the stack's config, {ORCHESTRATOR}"]
    assert seen.about("openfunnel:apiKey") == ["ok from the stack's config, not shown"]
    assert seen.about("openfunnel:timeout") == ["ok not set"]
    [key] = seen.about("provisioner key")
    assert key.startswith(f"ok is accepted at {api}, with 200 credits left")
    assert seen.about("ledger") == [f"ok {path} is not there yet; the first pulumi up makes it"]
    assert seen.about("state") == ["ok at https://api.pulumi.com"]
    assert not path.exists()


def test_settings_of_the_environment_alone(doctor: Doctor, api: str, path: Path) -> None:
    """A stack without settings is well where the environment has them."""
    doctor.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    seen = doctor.sees(OPENFUNNEL_LEDGER=path)
    assert seen.status == 0
    assert seen.about("openfunnel:apiKey") == ["ok from OPENFUNNEL_API_KEY, not shown"]
    assert seen.about("openfunnel:baseUrl") == [f"ok from OPENFUNNEL_BASE_URL, {api}"]


def test_no_cli(well: Doctor) -> None:
    """It is to be installed; what only it could have told is not told as wrong."""
    well.no_cli()
    seen = well.sees()
    assert seen.to_mend() == "Pulumi CLI: is not on PATH. Install it: https://www.pulumi.com/docs/install."
    assert seen.about("openfunnel:userId") == ["unknown is not in OPENFUNNEL_USER_ID, and no config was read."]
    assert seen.about("ledger") == ["unknown was not looked at, because it is not known where it is."]


@pytest.mark.parametrize("version", ["v2.25.2", "v3.230.9", "3.99.0-dev.0"])
def test_a_cli_that_is_too_old(well: Doctor, api: str, path: Path, version: str) -> None:
    """It is told what is old enough."""
    well.cli(version, provisioner(baseUrl=api, ledger=str(path)))
    assert "is too old: 3.231 or newer is needed. Install it: " in well.sees().to_mend()


def test_a_cli_that_makes_no_sense(doctor: Doctor) -> None:
    """What it prints instead of JSON and versions ends nothing, and cannot be told."""
    doctor.cli("", "no JSON", backend="")
    doctor.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR)
    assert doctor.sees(OPENFUNNEL_LEDGER="off").about("Pulumi CLI") == [
        "unknown does not tell its version. Run: pulumi version."
    ]


def test_a_cli_that_complains_with_a_password(doctor: Doctor) -> None:
    """Its words are told without the URL's user, password and query, and without what the environment keeps secret."""
    url = f"postgres://guy:{PASSWORD}@db.corp/state"
    doctor.broken_cli(f'error: unable to open "{url}?sslpassword={PASSWORD}": {PASSWORD}/1: connection refused')
    seen = doctor.sees(PULUMI_BACKEND_URL=url, PULUMI_CONFIG_PASSPHRASE=PASSWORD)
    [told] = seen.about("stack")
    assert told.startswith(
        'unknown no config was read: unable to open "postgres://db.corp/state": ***/1: connection refused.'
    )
    assert (seen.status, seen.about("state")) == (2, ["ok at postgres://db.corp/state"])


def test_nobody_logged_in(doctor: Doctor, api: str, path: Path) -> None:
    """Where the state is cannot be told, and the exit status is 2."""
    doctor.broken_cli("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions")
    doctor.setenv(OPENFUNNEL_USER_ID=ORCHESTRATOR, OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api)
    seen = doctor.sees(OPENFUNNEL_LEDGER=path)
    assert (seen.status, seen.told("mend")) == (2, [])
    assert seen.about("state") == ["unknown where Pulumi keeps it is not known. Run: pulumi login."]
    assert seen.about("provisioner key")[0].startswith("ok is accepted")


def test_no_settings_at_all(doctor: Doctor) -> None:
    """One line says who is missing, and how it is set; where the ledger would lie is told all the same."""
    seen = doctor.sees()
    assert (seen.status, len(seen.told("mend"))) == (1, 2)
    assert seen.about("openfunnel:userId") == [
        "mend openfunnel:userId is not set. Run: pulumi config set openfunnel:userId you@yourco.com (or set OPENFUNNEL_USER_ID)."
    ]
    assert seen.about("provisioner key") == [
        "mend is not set, so nobody can be created. Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY)."
    ]
    assert seen.about("ledger")[0].endswith(
        "/pulumi-openfunnel/ledger.db is not there yet; the first pulumi up makes it"
    )


WRONG = [
    ({"openfunnel:userId": None}, "openfunnel:userId is not set. Run: pulumi config set openfunnel:userId you@"),
    ({"openfunnel:userId": PROVISIONER_KEY}, "openfunnel:userId is not an email address. Run: pulumi config set"),
    ({"openfunnel:apiKey": {"value": "of one", "secret": True}}, "openfunnel:apiKey holds a space, a line break or"),
    (
        {"openfunnel:apikey": PROVISIONER_KEY},
        "openfunnel:apikey is not a setting: did you mean openfunnel:apiKey? Run: ",
    ),
    ({"openfunnel:baseUrl": "http://openfunnel.corp"}, "openfunnel:baseUrl is plain http to another machine"),
    ({"openfunnel:baseUrl": f"https://guy:{PASSWORD}@api.corp"}, "openfunnel:baseUrl holds a user name or password"),
    ({"openfunnel:timeout": "soon"}, "openfunnel:timeout is not a number of seconds between 0 and 86400. Run: "),
    ({"openfunnel:ledger": "ledger.db"}, "openfunnel:ledger is not the absolute path of a file. Run: "),
    ({"openfunnel:apiKey": PROVISIONER_KEY}, "holds a key in the clear. Set it again with --secret, and have"),
]


@pytest.mark.parametrize(("config", "told"), WRONG)
def test_a_setting_that_is_wrong(doctor: Doctor, api: str, path: Path, config: dict[str, object], told: str) -> None:
    """One line names it and says what to do; its value, which may be a key, is not shown."""
    entries = {**provisioner(baseUrl=api, ledger=str(path)), **config}
    if "openfunnel:apikey" in entries:
        del entries["openfunnel:apiKey"]
    doctor.cli(config={name: value for name, value in entries.items() if value is not None})
    [(name, _)] = config.items()
    assert doctor.sees().to_mend().startswith(f"{name}: {told}")


def test_everything_that_is_wrong_is_told_at_once(doctor: Doctor) -> None:
    """Not the first setting alone; what could not be asked for that reason says so."""
    config = {"openfunnel:apikey": "of_a", "openfunnel:baseUrl": "api.corp", "openfunnel:timeout": "-1"}
    doctor.cli(config={**config, "openfunnel:ledger": f"postgres://guy:{PASSWORD}@a@b/c"})
    seen = doctor.sees(OPENFUNNEL_LEDGER_KEY="short")
    wrong = ["userId", "baseUrl", "timeout", "ledger", "apikey"]
    assert [line.partition(": ")[0] for line in seen.told("mend")] == [
        *(f"openfunnel:{name}" for name in wrong),
        "OPENFUNNEL_LEDGER_KEY",
    ]
    assert seen.about("OpenFunnel") == ["unknown was not asked. Mend the settings above first."]
    assert seen.about("ledger") == ["unknown was not looked at. Mend its setting first."]


def test_a_password_in_the_clear(doctor: Doctor, api: str) -> None:
    """A ledger's URL with its password belongs among the secrets; the place is named without it."""
    doctor.cli(config=provisioner(baseUrl=api, ledger=f"postgres://guy:{PASSWORD}@127.0.0.1:1/db"))
    seen = doctor.sees()
    assert seen.about("openfunnel:ledger") == [
        "ok from the stack's config, postgres://127.0.0.1:1/db",
        "mend holds a password in the clear. Set it again with --secret, and change the password.",
    ]


def test_a_secret_that_cannot_be_opened(doctor: Doctor, api: str, path: Path) -> None:
    """It is not told as missing, and the environment's, which pulumi up would not look at, is not tried in its place."""
    doctor.cli(config=provisioner(baseUrl=api, ledger=str(path)) | {"openfunnel:apiKey": {"secret": True}})
    seen = doctor.sees(OPENFUNNEL_API_KEY="of_another")
    assert seen.about("openfunnel:apiKey") == ["unknown is a secret of the stack's config that could not be opened."]
    assert seen.about("provisioner key") == ["unknown was not tried, because it could not be read."]


def test_orchestrators_without_a_default(doctor: Doctor, api: str, path: Path) -> None:
    """Where each user names one, no other is missed; each key is tried."""
    secret = (
        f'{{"acme": {{"userId": "{ORCHESTRATOR}", "apiKey": "{PROVISIONER_KEY}"}}, "bad": {{"userId": "a@b.com"}}}}'
    )
    doctor.cli(
        config={
            "openfunnel:orchestrators": {"value": secret, "secret": True},
            "openfunnel:baseUrl": api,
            "openfunnel:ledger": str(path),
        }
    )
    seen = doctor.sees()
    assert seen.to_mend().startswith(
        "provisioner key of bad: is not set, so nobody can be created. Run: pulumi config set --path --secret "
        "'openfunnel:orchestrators.bad.apiKey'."
    )
    assert seen.about("provisioner key of acme")[0].startswith(f"ok is accepted at {api}")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_nobody_reads_on(well: Doctor, form: tuple[str, ...]) -> None:
    """A closed pipe is no error, and the exit status says what was found."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *form], env=well.environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk(well: Doctor) -> None:
    """One line, no traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(COMMAND, env=well.environment, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"The output cannot be written: No space left on device.\n")
