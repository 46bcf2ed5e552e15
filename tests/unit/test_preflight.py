"""What a preview looks at: a ledger that it reads and does not write, one that it cannot read, one that will not last."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pulumi_openfunnel.errors import AnotherEndUser, LedgerUnusable
from pulumi_openfunnel.ledger.memory import Call
from pulumi_openfunnel.ledger.rules import Ledger
from pulumi_openfunnel.ledger_urls import parse
from pulumi_openfunnel.places import FilePlace, Place, PostgresPlace, S3Place
from pulumi_openfunnel.provisioning import preflight
from pulumi_openfunnel.provisioning.connections import Caller
from pulumi_openfunnel.provisioning.keys import EndUser
from pulumi_openfunnel.provisioning.session import Session

from ..servers import ScriptedServer
from .provisions import Callers, Console, identity, over, with_settings
from .rules import Machine, issued

SHARED = (S3Place("bucket", "prefix"), PostgresPlace("postgres://guy:pass-word@db/state", "postgres://db/state"))
SHARDS = 32
DEFAULT = FilePlace(Path("/home/ci/.local/state/pulumi-openfunnel/ledger.db"), default=True)


@pytest.fixture
def session(console: Console) -> Session:
    return Session(lambda _setting: None, {}, console.operation)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def caller(callers: Callers, server: ScriptedServer, machine: Machine) -> Caller:
    """Whose ledger is in memory, and stands for a bucket."""
    return over(callers(server.base_url), machine.process(), SHARED[0])


def _users(count: int) -> list[EndUser]:
    return [EndUser(f"user{number}@customers.com", f"user{number}@orchestrator.com") for number in range(count)]


def _looked(session: Session, caller: Caller, users: list[EndUser]) -> None:
    """As the checks of a roster's shards look, one after the other."""
    for shard in range(SHARDS):
        preflight.look_into_ledger(session, caller, users[shard::SHARDS])


def _refuses(call: Call) -> None:
    raise LedgerUnusable("s3://bucket/prefix", "may not be read", "Give s3:GetObject.", transient=call.method == "")


def test_a_thousand_new_users_are_one_listing(session: Session, caller: Caller, machine: Machine) -> None:
    """Whoever the ledger does not know is not read at all; nothing is written, and no run is announced."""
    _looked(session, caller, _users(1000))
    assert [(call.method, call.names) for call in machine.calls] == [("names", ("users/",))]
    assert machine.store.documents == {}
    assert machine.living == set()


def test_users_that_the_ledger_knows_are_read_many_at_once(session: Session, caller: Caller, machine: Machine) -> None:
    """One reading call a shard beside the look whether the ledger moved; nothing is written."""
    users, ledger = _users(1000), machine.process()
    for number, user in enumerate(users[::10]):
        issued(ledger, identity(caller, user), f"of_{number}")
    before, machine.calls[:] = dict(machine.store.documents), []
    _looked(session, caller, users)
    methods = [call.method for call in machine.calls]
    assert methods.count("names") == 1
    assert methods.count("get_many") == SHARDS / 2  # only every other one has users that are known
    assert set(methods) == {"names", "get", "get_many"}
    assert {call.names for call in machine.calls if call.method == "get"} == {("moved",)}
    assert machine.store.documents == before


def test_a_user_of_another_is_refused(session: Session, caller: Caller, machine: Machine) -> None:
    """At preview, before anything is created."""
    issued(machine.process(), identity(caller, EndUser("eve@else.com", "user7@orchestrator.com")))
    with pytest.raises(AnotherEndUser, match=r"the ledger knows it as the user of eve@else\.com"):
        _looked(session, caller, _users(10))


def test_a_preview_of_nothing_new_touches_no_ledger(session: Session, caller: Caller, machine: Machine) -> None:
    """Nor does it speak of one."""
    session.environ = {"CI": "true"}
    _looked(session, with_settings(caller, ledger=DEFAULT), [])
    _looked(session, caller, [])
    assert machine.calls == []


@pytest.mark.parametrize("place", SHARED, ids=str)
def test_a_shared_ledger_that_cannot_be_read_is_one_line(
    session: Session, console: Console, caller: Caller, machine: Machine, place: Place
) -> None:
    """A pull request's job may have no access: it is told once, tried once, and the preview goes on."""
    tried: list[str] = []

    def refuses(call: Call) -> None:
        tried.append(call.method)
        _refuses(call)

    machine.fails = refuses
    _looked(session, over(caller, machine.process(), place), _users(1000))
    assert console.warnings == [
        "The ledger s3://bucket/prefix may not be read. Give s3:GetObject. A preview goes on without it; an update creates "
        "nobody."
    ]
    assert tried == ["names"]


def test_one_that_cannot_be_opened_is_one_line_too(
    session: Session, console: Console, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an extra is missing, or a server is away."""
    tried: list[Place] = []

    def seen_ledger(_self: object, place: Place) -> Ledger:
        tried.append(place)
        raise LedgerUnusable(place, "is not there", "Start it.", transient=True)

    monkeypatch.setattr(type(caller.connections), "seen_ledger", seen_ledger)
    _looked(session, with_settings(caller, ledger=SHARED[1]), _users(100))
    assert console.warnings == [
        "The ledger postgres://db/state is not there. Start it. A preview goes on without it; an update creates nobody."
    ]
    assert tried == [SHARED[1]]


def test_a_file_that_cannot_be_read_is_an_error(session: Session, caller: Caller, machine: Machine) -> None:
    """It is this machine's, and an update would fail the same way."""
    machine.fails = _refuses
    local = over(caller, machine.process(), FilePlace(Path("/a/ledger.db")))
    with pytest.raises(LedgerUnusable, match="may not be read"):
        _looked(session, local, _users(3))


@pytest.mark.parametrize(
    ("backend", "advice"),
    [
        (
            "s3://acme-state?region=eu-central-1",
            "Run: pulumi config set openfunnel:ledger 's3://acme-state/openfunnel-ledger?region=eu-central-1' "
            "(or set OPENFUNNEL_LEDGER to it).",
        ),
        (
            "gs://acme-state/pulumi",
            "Run: pulumi config set openfunnel:ledger gs://acme-state/pulumi/openfunnel-ledger "
            "(or set OPENFUNNEL_LEDGER to it).",
        ),
        (
            "azblob://state?storage_account=acme",
            "Run: pulumi config set openfunnel:ledger 'azblob://state/openfunnel-ledger?storage_account=acme' "
            "(or set OPENFUNNEL_LEDGER to it).",
        ),
        (
            "postgres://guy:pass-word@db/state",
            'Run: pulumi config set --secret openfunnel:ledger "$PULUMI_BACKEND_URL" (or set OPENFUNNEL_LEDGER to it).',
        ),
        ("file:///tmp/state", "Set OPENFUNNEL_LEDGER to a bucket, to PostgreSQL, or to a file that lasts."),
        (None, "Set OPENFUNNEL_LEDGER to a bucket, to PostgreSQL, or to a file that lasts."),
    ],
    ids=["s3", "gs", "azblob", "postgres", "file", "none"],
)
def test_in_ci_the_warning_names_the_place_beside_the_state(
    session: Session, console: Console, caller: Caller, tmp_path: Path, backend: str | None, advice: str
) -> None:
    """Once, at preview; the command can be run as it stands there, and shows no password."""
    session.environ = {"CI": "true"} | ({"PULUMI_BACKEND_URL": backend} if backend is not None else {})
    runners = with_settings(caller, ledger=FilePlace(tmp_path / "ledger.db", default=True))
    _looked(session, runners, _users(100))
    [warning] = console.warnings
    assert warning == (
        f"The ledger is at its default place, {tmp_path}/ledger.db, which is deleted with this CI runner, and so are the keys "
        f"that are not in the state yet. {advice}"
    )
    assert "pass-word" not in warning
    assert list(tmp_path.iterdir()) == []
    for word in shlex.split(advice):
        assert "://" not in word or parse(word) is not None


@pytest.mark.parametrize(
    ("environ", "place"),
    [({}, DEFAULT), ({"CI": "true"}, FilePlace(DEFAULT.path)), ({"CI": "true"}, SHARED[0])],
    ids=["no CI", "a file that somebody named", "a bucket"],
)
def test_elsewhere_nobody_is_warned(
    session: Session, console: Console, caller: Caller, environ: dict[str, str], place: Place
) -> None:
    """A machine of one's own keeps its files, and whoever names a place has thought of it."""
    session.environ = environ
    preflight.warn_of_ledger(session, with_settings(caller, ledger=place))
    assert console.warnings == []


def test_without_a_ledger_it_is_said_once(session: Session, console: Console, caller: Caller) -> None:
    """What is at stake where the ledger is off."""
    _looked(session, with_settings(caller, ledger=None), _users(100))
    assert console.warnings == [
        "openfunnel:ledger is off: a key whose answer is lost on its way into the state, as when pulumi is killed, is lost for "
        "good."
    ]


def test_the_same_internal_email_at_another_api_is_another_user(
    session: Session, caller: Caller, machine: Machine
) -> None:
    """It stands in nobody's way."""
    user = EndUser("eve@else.com", "user7@orchestrator.com")
    issued(machine.process(), identity(with_settings(caller, base_url="https://other.dev"), user))
    _looked(session, caller, _users(10))
