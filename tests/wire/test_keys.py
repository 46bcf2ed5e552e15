"""What the balance endpoint tells of keys: drift, adoption, preflight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import grpc
import pytest
from pulumi.runtime.rpc import UNKNOWN

from ..provider_process import Provider, Start, said
from ..servers import PROVISIONER_KEY, Request, ScriptedServer, answer

ORCHESTRATOR = "guy@orchestrator.com"
ALICE_KEY = "of_alice_0123456789"
NEW_KEY = "of_alice_9876543210"
ALICE = {"email": "alice@alice-startup.com", "internal_email": "alice@orchestrator.com"}
ALICE_STATE = ALICE | {"api_key": ALICE_KEY, "key_fingerprint": "c7785caa04caacfa", "key_status": "active"}

BALANCE = answer(200, {"total_credits": 200, "credits_used": 37.5, "credits_left": 162.5})
REFUSED = answer(401, {"error_code": "UNAUTHORIZED"})


def balances(server: ScriptedServer, **by_key: bytes) -> None:
    """Answer balance requests by who asks: alice, her new key, or the provisioner; everyone else is refused."""
    keys = {ALICE_KEY: "alice", NEW_KEY: "new", PROVISIONER_KEY: "provisioner"}

    def script(request: Request) -> Iterable[bytes]:
        assert (request.method, request.path) == ("GET", "/api/v1/credits/balance")
        assert "x-user-id" not in request.headers
        return [by_key.get(keys.get(request.headers["x-api-key"], ""), REFUSED)]

    server.script = script


def configured(start: Start, base_url: str, api_key: str | None = PROVISIONER_KEY) -> Provider:
    provider = start()
    provider.configure(userId=ORCHESTRATOR, apiKey=api_key, baseUrl=base_url)
    return provider


class TestRead:
    """Drift: what a refresh finds out about a user's key."""

    def test_a_key_that_works_is_active(self, start: Start, server: ScriptedServer) -> None:
        """Also one that was seen revoked before; reading twice asks once."""
        balances(server, alice=BALANCE)
        provider = configured(start, server.base_url)
        for _ in range(2):
            assert provider.read("1", ALICE_STATE | {"key_status": "revoked"}) == ("1", ALICE_STATE, ALICE)
        assert len(server.requests) == 1
        assert provider.engine.warnings == []

    def test_a_key_that_is_refused_alone_is_revoked(self, start: Start, server: ScriptedServer) -> None:
        """OpenFunnel refuses the user's key and accepts the provisioner's at the same moment."""
        balances(server, provisioner=BALANCE)
        provider = configured(start, server.base_url)
        for _ in range(2):
            assert provider.read("1", ALICE_STATE) == ("1", ALICE_STATE | {"key_status": "revoked"}, ALICE)
        [warning] = provider.engine.warnings
        assert warning.startswith("alice@orchestrator.com: its key was revoked")
        assert "existing_api_key" in warning

    @pytest.mark.parametrize(
        ("alice", "provisioner", "problem"),
        [
            (REFUSED, REFUSED, "does not accept the provisioner key either"),
            (REFUSED, answer(500), "does not accept the provisioner key either"),
            (answer(403, {}), BALANCE, "it answered 403"),
            (answer(403), BALANCE, "somebody between here and OpenFunnel answered in its place (403)"),
            (answer(401, b"<html>"), BALANCE, "somebody between here and OpenFunnel answered in its place (401)"),
            (answer(407, {}), BALANCE, "somebody between here and OpenFunnel answered in its place (407)"),
            (answer(404), BALANCE, "it answered 404"),
            (answer(429), BALANCE, "it answered 429"),
            (answer(500), BALANCE, "it answered 500"),
            (answer(307, b"", {"Location": "/elsewhere"}), BALANCE, "it answered 307"),
            (answer(200, b"<html>log in</html>"), BALANCE, "it answered 200 with no JSON object"),
            (b"", BALANCE, "it could not be reached"),
        ],
    )
    def test_anything_else_leaves_the_state(
        self, start: Start, server: ScriptedServer, alice: bytes, provisioner: bytes, problem: str
    ) -> None:
        """An outage, a stale provisioner key or a login page says nothing of the user: one warning, no change."""
        balances(server, alice=alice, provisioner=provisioner)
        provider = configured(start, server.base_url)
        for status in ("active", "revoked"):
            state = ALICE_STATE | {"key_status": status}
            assert provider.read("1", state) == ("1", state, ALICE)
        [warning] = provider.engine.warnings
        assert warning.startswith("alice@orchestrator.com: whether its key still works is not known. OpenFunnel ")
        assert warning.endswith(". The state stays as it was.")
        assert problem in warning

    def test_without_settings_the_state_stays(self, start: Start) -> None:
        """A refresh with no settings warns and changes nothing."""
        provider = start()
        provider.configure()
        assert provider.read("1", ALICE_STATE) == ("1", ALICE_STATE, ALICE)
        assert "openfunnel:userId is not set" in provider.engine.warnings[0]

    def test_without_a_provisioner_key_nothing_is_revoked(self, start: Start, server: ScriptedServer) -> None:
        """There is nothing to compare a refusal with."""
        balances(server)
        provider = configured(start, server.base_url, api_key=None)
        assert provider.read("1", ALICE_STATE) == ("1", ALICE_STATE, ALICE)
        assert "there is no provisioner key to compare with" in provider.engine.warnings[0]


class TestAdoption:
    """existing_api_key in all its moves."""

    def test_an_accepted_key_is_stored(self, start: Start, server: ScriptedServer) -> None:
        """Nothing is created, no provisioner key is needed, and the argument is no output."""
        balances(server, alice=BALANCE)
        provider = configured(start, server.base_url, api_key=None)
        inputs, failures = provider.check({"email": "alice@alice-startup.com", "existing_api_key": ALICE_KEY})
        assert failures == []
        assert provider.create(inputs) == ("alice@orchestrator.com", ALICE_STATE)
        assert provider.engine.logs == []
        assert [request.method for request in server.requests] == ["GET"]

    @pytest.mark.parametrize(
        ("alice", "message"),
        [
            (REFUSED, "alice@orchestrator.com: OpenFunnel refused existing_api_key (401). Nothing was stored."),
            (
                answer(500),
                "alice@orchestrator.com: existing_api_key could not be tried: OpenFunnel was asked, but it answered 500.",
            ),
        ],
    )
    def test_another_key_is_not(self, start: Start, server: ScriptedServer, alice: bytes, message: str) -> None:
        """A key that is refused, or cannot be tried, fails the create, and the update to it, in one line."""
        balances(server, alice=alice, new=alice)
        provider = configured(start, server.base_url)
        for verb in (
            lambda: provider.create(ALICE | {"existing_api_key": ALICE_KEY}),
            lambda: provider.update(ALICE_STATE, ALICE | {"existing_api_key": NEW_KEY}),
        ):
            with pytest.raises(grpc.RpcError) as failure:
                verb()
            details = said(failure.value)
            assert details.startswith(message)
            assert len(details.splitlines()) == 1

    @pytest.mark.parametrize(
        ("key", "reason"),
        [("", "empty"), ("of_a\nof_b", "empty, or holds a space"), (PROVISIONER_KEY, "this is the provisioner key")],
    )
    def test_what_cannot_be_a_users_key_fails_check(self, provider: Provider, key: str, reason: str) -> None:
        """At preview, without showing it."""
        _, [(_, message)] = provider.check({"email": "alice@alice-startup.com", "existing_api_key": key})
        assert message.startswith(f"existing_api_key: {reason}")
        assert "of_" not in message

    @pytest.mark.parametrize(
        ("news", "changes", "replaces"),
        [
            ({"existing_api_key": ALICE_KEY}, False, []),
            ({"existing_api_key": f" {ALICE_KEY}\n"}, False, []),
            ({"existing_api_key": NEW_KEY}, True, []),
            ({"existing_api_key": UNKNOWN}, True, []),
            ({"existing_api_key": NEW_KEY, "internal_email": "bob@orchestrator.com"}, True, ["internal_email"]),
        ],
    )
    def test_only_another_key_is_a_change(
        self, provider: Provider, news: dict[str, Any], changes: bool, replaces: list[str]
    ) -> None:
        """The stored key is what the argument is compared with; without the argument nothing changes."""
        assert provider.diff(ALICE_STATE, ALICE | news) == (changes, replaces, False)

    def test_another_key_replaces_the_stored_one_in_place(self, start: Start, server: ScriptedServer) -> None:
        """How a recovered key, or a leaked key's successor, comes in."""
        balances(server, new=BALANCE)
        provider = configured(start, server.base_url)
        outs = provider.update(ALICE_STATE, ALICE | {"existing_api_key": NEW_KEY})
        assert outs["key_fingerprint"] != ALICE_STATE["key_fingerprint"]
        assert outs == ALICE_STATE | {"api_key": NEW_KEY, "key_fingerprint": outs["key_fingerprint"]}

    def test_an_unknown_address_is_not_refused_at_preview(self, provider: Provider) -> None:
        """It may turn out to be the same one."""
        news = {"email": UNKNOWN, "internal_email": UNKNOWN, "existing_api_key": ALICE_KEY}
        assert provider.diff(ALICE_STATE, news) == (True, ["internal_email"], False)

    def test_a_key_is_not_carried_over_to_another_user(self, provider: Provider) -> None:
        """A changed internal email with the stored key is refused: it would be another user's key."""
        bob = {"email": "bob@b.com", "internal_email": "bob@orchestrator.com", "existing_api_key": ALICE_KEY}
        with pytest.raises(grpc.RpcError) as failure:
            provider.diff(ALICE_STATE, bob)
        assert said(failure.value) == (
            "existing_api_key is the key of alice@orchestrator.com and cannot become that of bob@orchestrator.com. "
            "Pass the other user's key, or take the argument away."
        )


class TestPreflight:
    """The provisioner key is tried before the first create."""

    NEW: ClassVar = {"email": "alice@alice-startup.com"}

    def test_an_accepted_key_tells_the_credits_once(self, start: Start, server: ScriptedServer) -> None:
        """One request and one info line, for users that will be created."""
        balances(server, provisioner=BALANCE)
        provider = configured(start, server.base_url)
        provider.check(self.NEW, olds=ALICE)
        assert server.requests == []
        for email in ("alice@a.com", "bob@a.com"):
            provider.check({"email": email})
        assert provider.engine.logs == [("INFO", "OpenFunnel accepts the provisioner key: 162.5 credits left.")]
        assert len(server.requests) == 1

    def test_a_refused_key_fails_the_preview_once(self, start: Start, server: ScriptedServer) -> None:
        """The line says which command sets another key."""
        balances(server)
        provider = configured(start, server.base_url)
        assert provider.check(self.NEW)[1] == [
            (
                "",
                "OpenFunnel refused the provisioner key of guy@orchestrator.com (401). "
                "Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY).",
            )
        ]
        assert provider.check({"email": "bob@a.com"})[1] == []

    def test_a_key_that_may_not_warns(self, start: Start, server: ScriptedServer) -> None:
        """403 is no proof that creating will fail."""
        balances(server, provisioner=answer(403, {}))
        provider = configured(start, server.base_url)
        assert provider.check(self.NEW)[1] == []
        [warning] = provider.engine.warnings
        assert warning.startswith("alice@orchestrator.com: may not be created: OpenFunnel answered 403")

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            (answer(403), "somebody between here and OpenFunnel answered in its place (403)."),
            (answer(401, b"<html>"), "somebody between here and OpenFunnel answered in its place (401)."),
            (answer(407), "somebody between here and OpenFunnel answered in its place (407)."),
            (answer(200, b"<html>"), "it answered 200 with no JSON object."),
            (b"", "it could not be reached."),
        ],
    )
    def test_nobody_there_or_somebody_else_warns(
        self, start: Start, server: ScriptedServer, said: bytes, problem: str
    ) -> None:
        """An update would find the same: a preview that is silent and green would be a lie. Once, however many users."""
        balances(server, provisioner=said)
        provider = configured(start, server.base_url)
        for email in ("alice@a.com", "bob@a.com"):
            assert provider.check({"email": email})[1] == []
        [warning] = provider.engine.warnings
        tried = f"may not be created: the provisioner key was to be tried at {server.base_url}, but {problem}"
        assert warning == f"alice@orchestrator.com: {tried}"

    @pytest.mark.parametrize("said", [answer(500), answer(429)])
    def test_anything_else_is_ignored(self, start: Start, server: ScriptedServer, said: bytes) -> None:
        """An API that is down does not fail a preview."""
        balances(server, provisioner=said)
        provider = configured(start, server.base_url)
        assert provider.check(self.NEW)[1] == []
        assert provider.engine.logs == []


class TestOrchestrators:
    """Several orchestrators in one stack."""

    CONFIG = (
        '{"acme": {"userId": "ann@acme.com", "apiKey": "of_provisioner_0123456789"}, "empty": {}, '
        '"swapped": {"userId": "of_key"}}'
    )

    def test_each_has_its_domain_and_its_key(self, start: Start, server: ScriptedServer) -> None:
        """A user is created at the domain, and with the credentials, of the orchestrator that it names."""
        created = answer(200, {"id": 1, "email": "alice@acme.com", "api_key": ALICE_KEY})
        server.script = lambda request: [created if request.method == "POST" else BALANCE]
        provider = start(OPENFUNNEL_API_KEY="of_of_another_one")
        provider.configure(baseUrl=server.base_url, orchestrators=self.CONFIG)
        inputs, failures = provider.check({"email": "alice@a.com", "orchestrator": "acme"})
        assert failures == []
        assert inputs["internal_email"] == "alice@acme.com"
        provider.create(inputs)
        asked = server.requests[-1].headers
        assert (asked["x-user-id"], asked["x-api-key"]) == ("ann@acme.com", PROVISIONER_KEY)

    @pytest.mark.parametrize(
        ("orchestrator", "message"),
        [
            (
                "beta",
                'orchestrator "beta" is not in openfunnel:orchestrators (known: acme, empty, swapped). '
                "Run: pulumi config set --path 'openfunnel:orchestrators.beta.userId' you@yourco.com.",
            ),
            (
                "empty",
                "openfunnel:orchestrators.empty.userId is not set. "
                "Run: pulumi config set --path 'openfunnel:orchestrators.empty.userId' you@yourco.com.",
            ),
            (
                "swapped",
                "openfunnel:orchestrators.swapped.userId is not an email address. "
                "Run: pulumi config set --path 'openfunnel:orchestrators.swapped.userId' you@yourco.com.",
            ),
        ],
    )
    def test_a_wrong_one_fails_check(self, start: Start, orchestrator: str, message: str) -> None:
        """One line names what is known, or what is missing."""
        provider = start()
        provider.configure(orchestrators=self.CONFIG)
        assert provider.check({"email": "alice@a.com", "orchestrator": orchestrator})[1] == [("", message)]

    def test_a_config_of_another_shape_fails_check(self, start: Start) -> None:
        """And shows nothing of it."""
        provider = start()
        provider.configure(orchestrators="of_a_key")
        _, [(_, message)] = provider.check({"email": "alice@a.com", "orchestrator": "acme"})
        assert message.startswith("openfunnel:orchestrators is not an object of names to userId and apiKey.")
        assert "of_a_key" not in message

    def test_moving_a_user_replaces_it(self, provider: Provider) -> None:
        """Another orchestrator is another account, even at the same domain."""
        news = ALICE | {"orchestrator": "acme"}
        assert provider.diff(ALICE_STATE, news) == (True, ["orchestrator"], False)
        assert provider.diff(ALICE_STATE | {"orchestrator": "ACME"}, news) == (True, ["orchestrator"], False)
        assert provider.diff(ALICE_STATE, ALICE | {"orchestrator": UNKNOWN}) == (True, ["orchestrator"], False)
