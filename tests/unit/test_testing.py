"""pulumi_openfunnel.testing, as users' tests have it: mocks, and a local OpenFunnel."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

import pulumi_openfunnel as openfunnel
from pulumi_openfunnel import testing
from pulumi_openfunnel.emails import internal_email
from pulumi_openfunnel.provisioning.keys import fingerprint
from pulumi_openfunnel.schema import shard_of
from pulumi_openfunnel.testing import Fault, LocalOpenFunnel, Mocks, local_openfunnel

from .mocked import Program, under

ALICE = "alice@alice-startup.com"
ORCHESTRATORS = {
    "openfunnel:userId": "you@yourco.com",
    "openfunnel:orchestrators": json.dumps({"acme": {"userId": "ann@acme.com", "apiKey": "of_acme"}}),
}


async def _values(*outputs: pulumi.Output[Any]) -> list[Any]:
    return [await output.future() for output in outputs]


async def _are_secret(*outputs: pulumi.Output[Any]) -> list[bool]:
    return [await output.is_secret() for output in outputs]


def _user(**given: Any) -> Program:
    """A program with one user; its result: internal email, key, status."""

    async def program() -> list[Any]:
        user = openfunnel.ProvisionedUser("cust-17", **({"email": ALICE} | given))
        return await _values(user.internal_email, user.api_key, user.key_status, user.key_fingerprint, user.id)

    return program


def _roster(**given: Any) -> Program:
    async def program() -> list[Any]:
        team = openfunnel.ProvisionedUsers("team", **given)
        return await _values(team.users, team.api_keys, team.failed)

    return program


def test_every_public_name_is_exported() -> None:
    """Sorted, and each is there."""
    assert sorted(testing.__all__) == testing.__all__
    assert all(hasattr(testing, name) for name in testing.__all__)


class TestOneUser:
    """A ProvisionedUser under mocks."""

    def test_it_has_every_output(self) -> None:
        """An id, an internal email, a key that looks like one, its fingerprint, and a status; the mocks know the user."""
        mocks = Mocks()
        [[user, key, status, print_, id_]] = under(mocks, _user())
        assert (user, status) == ("alice@orchestrator.com", "active")
        assert key.startswith("of_")
        assert print_ == fingerprint(key)
        assert [(found.id, found.email, found.api_key) for found in mocks.users] == [(id_, user, key)]

    def test_its_key_is_a_secret(self) -> None:
        """And so is what is made of it; the rest is not."""

        async def program() -> list[bool]:
            user = openfunnel.ProvisionedUser("cust-17", email=ALICE)
            line = pulumi.Output.concat("OPENFUNNEL_API_KEY=", user.api_key)
            return await _are_secret(user.api_key, line, user.internal_email, user.key_fingerprint, user.email)

        assert under(Mocks(), program) == [[True, True, False, False, False]]

    def test_one_address_has_one_key(self) -> None:
        """In each test, in any spelling, alone and in a roster; another address has another one."""
        [mine, again] = under(Mocks(), _user(), _user(email=" Alice@ALICE-startup.com"))
        [other] = under(Mocks(), _user(email="alice@elsewhere.com"))
        [[_, keys, _]] = under(Mocks(), _roster(emails={"cust-17": ALICE}))
        assert mine == again
        assert keys == {"cust-17": mine[1]}
        assert (other[0], other[1] == mine[1]) == (mine[0], False)

    @pytest.mark.parametrize(
        ("given", "user"),
        [
            ({}, "alice@yourco.com"),
            ({"prefix": "acme"}, "acme@yourco.com"),
            ({"email_mapping": "subaddress"}, "alice+alice-startup.com@yourco.com"),
            ({"orchestrator": "acme"}, "alice@acme.com"),
            ({"email": "alice@bücher.de", "email_mapping": "subaddress"}, "alice+xn--bcher-kva.de@yourco.com"),
        ],
    )
    def test_its_internal_email_is_the_real_one(self, given: dict[str, str], user: str) -> None:
        """By prefix, mapping and orchestrator, with the settings of the stack's config."""
        [found] = under(Mocks(), _user(**given), config=ORCHESTRATORS)
        assert found[0] == user

    def test_an_adopted_user_has_its_own_key(self) -> None:
        """And its internal email as its id, as the real one."""
        [[user, key, _, print_, id_]] = under(Mocks(), _user(existing_api_key=pulumi.Output.secret(" of_its_own ")))
        assert (id_, key, print_) == (user, "of_its_own", fingerprint("of_its_own"))

    @pytest.mark.parametrize(
        ("given", "line"),
        [
            ({"email": "bob@@b.com"}, 'email "bob@@b.com": more than one @. Give one address, such as bob@b.com.'),
            ({"email_mapping": "both"}, 'email_mapping "both": unknown. Give "prefix" or "subaddress".'),
            ({"orchestrator": "globex"}, 'orchestrator "globex" is not in openfunnel:orchestrators (known: acme).'),
            ({"existing_api_key": "of a"}, "existing_api_key: empty, or holds a space"),
            ({"orchestrator": "acme", "existing_api_key": "of_acme"}, "existing_api_key: this is the provisioner key"),
        ],
    )
    def test_what_a_preview_refuses_is_refused(self, given: dict[str, str], line: str) -> None:
        """With the line that the preview fails with."""
        with pytest.raises(pulumi.RunError) as raised:
            under(Mocks(), _user(**given), config=ORCHESTRATORS)
        assert str(raised.value).startswith(line)

    def test_the_environment_is_not_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A test gives the same on every machine, and nobody is asked."""
        monkeypatch.setenv("OPENFUNNEL_USER_ID", "somebody@else.com")
        monkeypatch.setenv("OPENFUNNEL_BASE_URL", "https://127.0.0.1:1")
        monkeypatch.setenv("OPENFUNNEL_API_KEY", "of_provisioner")
        monkeypatch.setenv("OPENFUNNEL_LEDGER", "no path")
        [[user, *_]] = under(Mocks(), _user())
        assert user == "alice@orchestrator.com"

    def test_a_secret_address_stays_one(self) -> None:
        """So does the internal email, as in a real update."""

        async def program() -> list[bool]:
            user = openfunnel.ProvisionedUser("cust-17", email=pulumi.Output.secret(ALICE))
            return await _are_secret(user.email, user.internal_email, user.key_fingerprint)

        assert under(Mocks(), program) == [[True, True, False]]

    def test_in_a_preview_the_key_is_not_known(self) -> None:
        """The internal email is, and it is no mistake that an address is not known yet."""

        async def program() -> list[bool]:
            user = openfunnel.ProvisionedUser("cust-17", email=ALICE)
            unknown: Any = pulumi.output.UNKNOWN
            late = openfunnel.ProvisionedUser("cust-18", email=pulumi.Output.from_input(unknown))
            outputs = (user.internal_email, user.api_key, late.internal_email)
            return [await output.is_known() for output in outputs]

        assert under(Mocks(), program, preview=True) == [[True, False, False]]


class TestARoster:
    """ProvisionedUsers under mocks."""

    def test_every_look_up(self) -> None:
        """By id: one user's outputs, all keys, all users, none that failed; which ids there are."""

        async def program() -> None:
            emails: Any = {"cust-17": ALICE, 18: "bob@b.com"}
            team = openfunnel.ProvisionedUsers("team", emails=emails)
            assert (len(team), list(team), "cust-17" in team, 18 in team, "cust-1" in team) == (
                *(2, ["cust-17", "18"]),
                *(True, True, False),
            )
            users, keys, failed = await _values(team.users, team.api_keys, team.failed)
            member = team["cust-17"]
            email, user, print_, status, key = await _values(
                member.email, member.internal_email, member.key_fingerprint, member.key_status, member.api_key
            )
            assert failed == {}
            assert (email, user, status, print_) == (ALICE, "alice@orchestrator.com", "active", fingerprint(key))
            assert users["cust-17"] == {
                "id": users["cust-17"]["id"],
                "email": email,
                "internal_email": user,
                "key_fingerprint": print_,
                "key_status": status,
            }
            assert await _values(team[18].api_key) == [keys["18"]]
            assert (keys["cust-17"], sorted(keys)) == (key, ["18", "cust-17"])
            assert await _are_secret(member.api_key, team.api_keys, team.users) == [True, True, False]
            with pytest.raises(KeyError, match=r"cust-1 is not in the roster team; near: cust-17"):
                team["cust-1"]

        under(Mocks(), program)

    def test_a_list_is_looked_up_in_any_spelling(self) -> None:
        """As in a real update, duplicates included."""

        async def program() -> None:
            team = openfunnel.ProvisionedUsers("team", emails=[ALICE, "Bob@B.com", "bob@b.com"])
            [key, keys, users] = await _values(team["ALICE@alice-startup.com"].api_key, team.api_keys, team.users)
            assert (len(team), keys["Alice@alice-startup.com"], sorted(users)) == (2, key, [ALICE, "bob@b.com"])

        under(Mocks(), program)

    @pytest.mark.parametrize(
        "emails",
        [
            {"cust-17": pulumi.Output.from_input(ALICE)},
            pulumi.Output.from_input({"cust-17": ALICE}),
            {"cust-17": pulumi.Output.secret(ALICE)},
        ],
    )
    def test_addresses_may_be_outputs(self, emails: Any) -> None:
        """One, or all of them, secrets too."""
        [[users, keys, _]] = under(Mocks(), _roster(emails=emails))
        assert users["cust-17"]["internal_email"] == "alice@orchestrator.com"
        assert keys["cust-17"].startswith("of_")

    def test_each_argument_counts(self) -> None:
        """Prefixes, mapping, orchestrator, and keys of users that exist."""
        given = {"a": "info@a.com", "b": "info@b.com", "c": "carol@c.com"}
        [[users, keys, _]] = under(
            Mocks(),
            _roster(
                emails=given,
                prefixes={"b": "globex"},
                existing_api_keys={"c": pulumi.Output.secret("of_carols_own")},
                email_mapping="subaddress",
                orchestrator="acme",
            ),
            config=ORCHESTRATORS,
        )
        assert {id_: user["internal_email"] for id_, user in users.items()} == {
            "a": "info+a.com@acme.com",
            "b": "globex@acme.com",
            "c": "carol+c.com@acme.com",
        }
        assert (keys["c"], users["c"]["id"]) == ("of_carols_own", "carol+c.com@acme.com")

    @pytest.mark.parametrize(
        ("given", "line"),
        [
            ({"emails": ["bob@@b.com"]}, 'team: email "bob@@b.com": more than one @.'),
            ({"emails": {"x": "info@a.com", "y": "info@b.com"}}, "team: x (info@a.com) and y (info@b.com) both map to"),
            ({"emails": {"x": ALICE}, "existing_api_keys": {"x": "of a"}}, "team: x: existing_api_key: empty, or"),
            ({"emails": {"x": ALICE}, "orchestrator": "globex"}, 'orchestrator "globex" is not in'),
        ],
    )
    def test_what_a_preview_refuses_is_refused(self, given: dict[str, Any], line: str) -> None:
        """With the line that the preview fails with."""
        with pytest.raises(pulumi.RunError) as raised:
            under(Mocks(), _roster(**given), config=ORCHESTRATORS)
        assert str(raised.value).startswith(line)

    def test_a_thousand_members(self) -> None:
        """Each with its own key, in the shard and with the internal email that a real check computes."""
        emails = {f"cust-{n}": f"user{n}@customers.com" for n in range(1000)}
        recorded = _Recording()
        mocks = Mocks()

        class Watching(Mocks):
            def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
                recorded.seen.append(args)
                return mocks.new_resource(args)

        [[users, keys, _]] = under(Watching(), _roster(emails=emails))
        assert len(set(keys.values())) == 1000
        assert all(
            users[id_]["internal_email"] == internal_email(email, "orchestrator.com") for id_, email in emails.items()
        )
        shards = {args.name: json.loads(args.inputs["members"]) for args in recorded.seen if args.typ.endswith("Shard")}
        assert len(shards) == 32
        assert all(name == f"team-{shard_of(id_):02}" for name, members in shards.items() for id_ in members)


class _Recording(pulumi.runtime.Mocks):
    """Somebody's own mocks."""

    def __init__(self) -> None:
        self.seen: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.seen.append(args)
        return f"arn:{args.name}", args.inputs | {"arn": f"arn:{args.name}"}

    def call(self, args: MockCallArgs) -> Any:
        return {"called": args.token}


class _Sink(pulumi.CustomResource):
    """Somebody else's resource."""

    arn: pulumi.Output[str]
    value: pulumi.Output[str]

    def __init__(self, name: str, value: pulumi.Input[str]) -> None:
        super().__init__("other:index:Sink", name, {"value": value, "arn": None})


class TestOthers:
    """Everything that is not ours."""

    def test_others_mocks_get_the_rest(self) -> None:
        """Their resources and functions, and nothing of ours."""
        others = _Recording()

        async def program() -> list[Any]:
            user = openfunnel.ProvisionedUser("cust-17", email=ALICE)
            openfunnel.ProvisionedUsers("team", emails={"cust-18": "bob@b.com"})
            sink = _Sink("sink", user.api_key)
            called = await pulumi.runtime.invoke_async("other:index:look", {})
            return [*await _values(sink.id, sink.arn), called, await sink.value.is_secret()]

        assert under(Mocks(others), program) == [["arn:sink", "arn:sink", {"called": "other:index:look"}, True]]
        assert [args.typ for args in others.seen] == ["other:index:Sink"]

    def test_without_them_outputs_are_inputs(self) -> None:
        """A secret among them stays one, and a function gives nothing."""

        async def program() -> list[Any]:
            user = openfunnel.ProvisionedUser("cust-17", email=ALICE)
            sink = _Sink("sink", user.api_key)
            [value, key] = await _values(sink.value, user.api_key)
            called = await pulumi.runtime.invoke_async("other:index:look", {})
            return [value == key, await sink.value.is_secret(), called]

        assert under(Mocks(), program) == [[True, True, {}]]


def test_no_claim_passes_from_test_to_test() -> None:
    """One ``set_mocks`` for all: the same internal email under other names and addresses, alone and in rosters."""
    first = _user(email="info@a.com")

    async def renamed() -> str:
        user = openfunnel.ProvisionedUser("another", email="info@b.com")
        found: str | None = await user.internal_email.future()
        return str(found)

    found = under(Mocks(), first, renamed, _roster(emails=["info@c.com"]), _roster(emails={"x": "info@d.com"}), first)
    assert found[1] == found[0][0] == "info@orchestrator.com"
    assert found[0] == found[-1]


def test_a_collision_is_refused_as_ever() -> None:
    """Two of one program, naming both."""

    async def program() -> None:
        first = openfunnel.ProvisionedUser("carol", email="info@a.com")
        second = openfunnel.ProvisionedUser("dave", email="info@b.com")
        await _values(first.email, second.email)

    with pytest.raises(pulumi.RunError, match='"carol" and "dave" both map to info@'):
        under(Mocks(), program)


def test_mocks_do_not_need_pytest() -> None:
    """A plain unittest imports them where pytest is not installed."""
    program = """
        import sys
        sys.modules["pytest"] = None
        from pulumi_openfunnel.testing import Mocks, local_openfunnel
        import pulumi
        pulumi.runtime.set_mocks(Mocks())
        import pulumi_openfunnel as openfunnel

        @pulumi.runtime.test
        def look():
            return openfunnel.ProvisionedUser("cust-17", email="alice@a.com").api_key.apply(lambda key: print(key[:3]))

        look()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "of_\n", "")


def test_a_collision_is_refused_when_nothing_is_held() -> None:
    """As in a program that declares users in a loop and keeps none of them."""

    async def program() -> None:
        for id_, email in {"cust-17": "info@a.com", "cust-18": "info@b.com"}.items():
            user = openfunnel.ProvisionedUser(id_, email=email)
            await user.urn.future()
            del user
            gc.collect()

    with pytest.raises(pulumi.RunError, match='"cust-17" and "cust-18" both map to info@'):
        under(Mocks(), program)


class TestLocalOpenFunnel:
    """The simulator, as tests want it."""

    @staticmethod
    def _create(api: LocalOpenFunnel, email: str) -> int:
        headers = {"X-API-Key": api.api_key, "X-User-ID": api.user_id}
        url = f"{api.base_url}/api/v1/admin/create-user"
        return httpx.post(url, headers=headers, json={"email": email}, trust_env=False).status_code

    @staticmethod
    def _balance(api: LocalOpenFunnel, key: str) -> int:
        url = f"{api.base_url}/api/v1/credits/balance"
        return httpx.get(url, headers={"X-API-Key": key}, trust_env=False).status_code

    def test_it_knows_its_users(self, tmp_path: Path) -> None:
        """Those that were asked for and those that were there, whose keys work until they are revoked."""
        with local_openfunnel(tmp_path) as api:
            bob = api.add_user("bob@orchestrator.com")
            assert [self._create(api, f"{name}@orchestrator.com") for name in ("alice", "bob")] == [200, 409]
            assert [user.email for user in api.users] == ["bob@orchestrator.com", "alice@orchestrator.com"]
            assert self._balance(api, bob.api_key) == 200
            api.revoke("bob@orchestrator.com")
            assert self._balance(api, bob.api_key) == 401
            assert [request.status for request in api.requests] == [200, 409]
            assert api.api_key not in repr(api)

    def test_the_next_requests_fail_as_told(self, tmp_path: Path) -> None:
        """One fault each, whatever came before; those behind them are answered."""
        with local_openfunnel(tmp_path) as api:
            assert self._create(api, "first@orchestrator.com") == 200
            api.fail_next(Fault.FORBIDDEN, Fault.ERROR)
            assert [self._create(api, "alice@orchestrator.com") for _ in range(3)] == [403, 500, 200]

    def test_its_environment_is_a_whole_one(self, tmp_path: Path) -> None:
        """Where, who, with which key, and a ledger that is the test's own."""
        with local_openfunnel(tmp_path) as api:
            assert api.environment == {
                "OPENFUNNEL_BASE_URL": api.base_url,
                "OPENFUNNEL_USER_ID": api.user_id,
                "OPENFUNNEL_API_KEY": api.api_key,
                "OPENFUNNEL_LEDGER": str(tmp_path / "ledger.db"),
            }


PLUGIN = """
from pulumi_openfunnel.testing import Mocks

pytest_plugins = ["pulumi_openfunnel.testing"]
"""

THEIRS = """
import pytest

def test_first(openfunnel_api):
    openfunnel_api.add_user("alice@orchestrator.com")
    assert openfunnel_api.base_url.startswith("http://127.0.0.1:")

def test_second(openfunnel_api, tmp_path):
    assert openfunnel_api.users == []
    assert openfunnel_api.ledger.is_relative_to(tmp_path)
    assert openfunnel_api.api_key.startswith("of_")
    assert "@" in openfunnel_api.user_id
"""


def test_the_fixture_as_a_plugin(tmp_path: Path) -> None:
    """From a conftest.py that imports mocks as well, with warnings as errors: an OpenFunnel for each test."""
    (tmp_path / "conftest.py").write_text(PLUGIN)
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, "-o", "addopts=", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def _blocks() -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_the_pages_tests_pass(tmp_path: Path) -> None:
    """Those of docs/testing.md that need no engine, as they stand there."""
    for block in _blocks():
        if block.startswith("# "):
            name, _, code = block.partition("\n")
            (tmp_path / name.removeprefix("# ")).write_text(code)
    assert len(list(tmp_path.glob("*.py"))) == 5
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, "-o", "addopts=", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_the_pages_example_is_the_examples() -> None:
    """What docs/testing.md shows of a real engine is examples/tested, line for line."""
    example = (Path(__file__).parents[2] / "examples" / "tested" / "tests" / "test_up.py").read_text().splitlines()
    shown = [line for block in _blocks() if not block.startswith("# ") for line in block.splitlines()]
    assert len(shown) > 15
    assert [line for line in shown if line not in example] == []
