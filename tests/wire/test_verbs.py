"""Each verb of the provider, as the engine calls it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pulumi.runtime.rpc import UNKNOWN

from pulumi_openfunnel.simulator import Account, Accounts, Existing, serve

from ..provider_process import Provider, Start, said
from ..servers import PROVISIONER_KEY

ALICE = {"email": "alice@alice-startup.com", "internal_email": "alice@orchestrator.com"}
ALICE_STATE = ALICE | {"api_key": "of_alice_0123456789", "key_fingerprint": "0123456789abcdef", "key_status": "active"}


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({"email": "alice@alice-startup.com"}, ALICE),
        ({"email": "  Alice@Alice-Startup.COM\n"}, ALICE),
        (
            {"email": "alice@alice-startup.com", "prefix": "Team-A"},
            {"prefix": "Team-A", "internal_email": "team-a@orchestrator.com"},
        ),
        (
            {"email": "alice@alice-startup.com", "email_mapping": "subaddress"},
            {"email_mapping": "subaddress", "internal_email": "alice+alice-startup.com@orchestrator.com"},
        ),
        ({"email": UNKNOWN}, {"email": UNKNOWN, "internal_email": UNKNOWN}),
        ({"email": UNKNOWN, "prefix": "alice"}, {"prefix": "alice", "internal_email": "alice@orchestrator.com"}),
        ({"email": "alice@a.com", "prefix": UNKNOWN}, {"prefix": UNKNOWN, "internal_email": UNKNOWN}),
        ({"email": "alice@a.com", "email_mapping": UNKNOWN}, {"email_mapping": UNKNOWN, "internal_email": UNKNOWN}),
    ],
)
def test_check_computes_the_internal_email(provider: Provider, news: dict[str, Any], expected: dict[str, Any]) -> None:
    """Check normalizes the address, maps it, and passes on what is unknown."""
    inputs, failures = provider.check(news)
    assert failures == []
    assert inputs | expected == inputs
    assert set(inputs) == set(news) | {"internal_email"}


@pytest.mark.parametrize(
    ("news", "message"),
    [
        (
            {"email": "bob@@b.com"},
            'email "bob@@b.com": more than one @. Give one address, such as bob@b.com.',
        ),
        ({}, "email: not text. Give one address, such as bob@b.com."),
        (
            {"email": "bob@b.com", "email_mapping": "suffix"},
            'email_mapping "suffix": unknown. Give "prefix" or "subaddress".',
        ),
        ({"email": "bob@b.com", "prefix": ""}, 'prefix "": empty. Set another prefix.'),
    ],
)
def test_bad_input_fails_check_in_one_line(provider: Provider, news: dict[str, Any], message: str) -> None:
    """A wrong input is one failure, without a property, for whose value the engine would print."""
    _, failures = provider.check(news)
    assert failures == [("", message)]


BAD_ADDRESSES = [
    ("", "empty"),
    ("bob", "An email address must have an @-sign"),
    ("bob@@b.com", "more than one @"),
    ("bo b@b.com", "SPACE"),
    ("Bob <bob@b.com>", "A display name"),
    ('"bob"@b.com', "Quoting the part before the @-sign"),
    ("bøb@b.com", "Internationalized characters before the @-sign"),
    ("bob.@b.com", "a period immediately before the @-sign"),
    ("b" * 65 + "@b.com", "too long before the @-sign"),
    ("bob@localhost", "It should have a period"),
    ("bob@[127.0.0.1]", "bracketed IP address"),
    ("bob@b.com, eve@e.com", "more than one @"),
]


@pytest.mark.parametrize(("email", "reason"), BAD_ADDRESSES, ids=[reason for _, reason in BAD_ADDRESSES])
def test_a_bad_address_fails_check_with_its_reason(provider: Provider, email: str, reason: str) -> None:
    """One line names the property, repeats the address and gives the reason."""
    _, [(property, message)] = provider.check({"email": email})
    assert property == ""
    assert message.startswith(f'email "{email}": ')
    assert reason in message
    assert message.endswith(". Give one address, such as bob@b.com.")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {},
            "openfunnel:userId is not set. Run: pulumi config set openfunnel:userId you@yourco.com "
            "(or set OPENFUNNEL_USER_ID).",
        ),
        (
            {"userId": "of_a_key_in_the_wrong_place"},
            "openfunnel:userId is not an email address. Run: pulumi config set openfunnel:userId you@yourco.com "
            "(or set OPENFUNNEL_USER_ID).",
        ),
        (
            {"userId": "guy@orchestrator.com", "baseUrl": "http://api.example.com"},
            "openfunnel:baseUrl is plain http to another machine, which would show the key on the way. "
            "Run: pulumi config set openfunnel:baseUrl https://api.openfunnel.dev (or set OPENFUNNEL_BASE_URL).",
        ),
        (
            {"userId": "guy@orchestrator.com", "apiKey": "of_one\nof_two"},
            "openfunnel:apiKey holds a space, a line break or another character no key has. "
            "Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY).",
        ),
    ],
)
def test_wrong_settings_fail_check_in_one_line(start: Start, config: dict[str, Any], message: str) -> None:
    """A wrong setting is one failure that says which command sets it, and does not repeat the value."""
    provider = start()
    provider.configure(**config)
    assert provider.check({"email": "alice@a.com"})[1] == [("", message)]


def test_the_environment_stands_in_for_the_config(start: Start, api: str, accounts: Accounts) -> None:
    """What the stack's config does not set comes from the environment."""
    provider = start(
        OPENFUNNEL_USER_ID="guy@orchestrator.com", OPENFUNNEL_API_KEY=PROVISIONER_KEY, OPENFUNNEL_BASE_URL=api
    )
    provider.configure()
    provider.create(provider.check({"email": "alice@a.com"})[0])
    assert [user.email for user in accounts.users] == ["alice@orchestrator.com"]


def test_a_missing_key_warns_once_and_only_where_users_will_be_created(start: Start) -> None:
    """A preview without the provisioner key goes on; creating does not."""
    provider = start()
    provider.configure(userId="guy@orchestrator.com")
    inputs, failures = provider.check({"email": "alice@a.com"}, olds=ALICE)
    assert (failures, provider.engine.warnings) == ([], [])
    provider.check({"email": "alice@a.com"})
    provider.check({"email": "bob@a.com"})
    assert provider.engine.warnings == [
        "alice@orchestrator.com: can be previewed, but not created: openfunnel:apiKey is not set. "
        "Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY)."
    ]
    with pytest.raises(grpc.RpcError) as failure:
        provider.create(inputs)
    assert said(failure.value) == (
        "openfunnel:apiKey is not set. Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY)."
    )


@pytest.mark.parametrize(
    ("news", "changes", "replaces"),
    [
        ({}, False, []),
        ({"email": " ALICE@alice-startup.com"}, False, []),
        ({"email_mapping": "prefix"}, False, []),
        ({"unheard_of": "an input of a later version"}, False, []),
        ({"email": "alice@elsewhere.com"}, True, []),
        ({"prefix": "alice"}, True, []),
        ({"internal_email": "alice@other.com"}, True, ["internal_email"]),
        ({"email": "bob@b.com", "internal_email": "bob@orchestrator.com"}, True, ["internal_email"]),
        ({"email": UNKNOWN, "internal_email": UNKNOWN}, True, ["internal_email"]),
        ({"email": UNKNOWN}, True, []),
    ],
)
def test_diff_compares_what_a_user_can_change(
    provider: Provider, news: dict[str, Any], changes: bool, replaces: list[str]
) -> None:
    """Only another internal email replaces, creating first; another spelling is no change."""
    assert provider.diff(ALICE_STATE, ALICE | news) == (changes, replaces, False)


def test_create_writes_every_output(provider: Provider, accounts: Accounts) -> None:
    """The id is the API's, and the state holds every output that the design names."""
    id_, outs = provider.create(ALICE)
    [user] = accounts.users
    assert id_ == str(user.id)
    assert outs.pop("key_fingerprint")
    assert outs == ALICE | {"api_key": user.api_key, "key_status": "active"}


def test_a_failed_create_is_one_line(start: Start) -> None:
    """The engine gets the message of our own errors, not a traceback."""
    accounts = Accounts([Account("guy@orchestrator.com", PROVISIONER_KEY)], existing=Existing.CONFLICT)
    accounts.create("alice@orchestrator.com")
    with serve(accounts) as base_url:
        provider = start()
        provider.configure(userId="guy@orchestrator.com", apiKey=PROVISIONER_KEY, baseUrl=base_url)
        with pytest.raises(grpc.RpcError) as failure:
            provider.create(ALICE)
    details = said(failure.value)
    assert details.startswith("alice@orchestrator.com: exists already (409)")
    assert len(details.splitlines()) == 1


def test_update_keeps_the_key(provider: Provider) -> None:
    """An update in place changes the inputs alone; only another address is worth a warning."""
    news = ALICE | {"prefix": "alice"}
    assert provider.update(ALICE_STATE, news) == ALICE_STATE | news
    assert provider.engine.warnings == []


def test_update_to_another_address_warns(provider: Provider) -> None:
    """The user behind two addresses with one internal email is the same one, and the operator hears it."""
    provider.update(ALICE_STATE, ALICE | {"email": "alice@elsewhere.com"})
    [warning] = provider.engine.warnings
    assert warning == (
        "alice@orchestrator.com: now stands for another address: it is the same OpenFunnel user with the same key. For another "
        "user, set prefix. (alice@alice-startup.com became alice@elsewhere.com)"
    )


def test_keys_are_in_the_envelope_of_every_answer(provider: Provider, accounts: Accounts) -> None:
    """What check, create, update and read return, whatever the program's options say."""
    key = accounts.create("alice@orchestrator.com").api_key
    inputs, _ = provider.check({"email": "alice@alice-startup.com", "existing_api_key": key})
    assert provider.secret == {"existing_api_key"}
    _, outs = provider.create(inputs)
    assert (provider.secret, outs["api_key"]) == ({"api_key"}, key)
    provider.update(outs, ALICE | {"prefix": "alice"})
    assert provider.secret == {"api_key"}
    provider.read("1", outs)
    assert provider.secret == {"api_key"}


SECRET = {"email": "alice@alice-startup.com", "prefix": "alice", "shown_as": "customer-1"}


def test_a_secret_address_is_in_the_envelope_of_every_answer(provider: Provider) -> None:
    """With all that is computed of it; the provider is told by the name that messages then call the user by."""
    hidden = {"email", "prefix", "internal_email"}
    inputs, failures = provider.check(SECRET)
    assert (failures, provider.secret) == ([], hidden)
    _, outs = provider.create(inputs)
    assert provider.secret == hidden | {"api_key"}
    assert outs["shown_as"] == "customer-1"
    provider.update(outs, inputs | {"email": "alice@elsewhere.com"})
    assert provider.secret == hidden | {"api_key"}
    assert provider.read("1", outs)[2] == inputs
    assert provider.secret == hidden | {"api_key"}


def test_a_secret_address_is_in_no_message(start: Start, api: str, accounts: Accounts) -> None:
    """Neither in a refusal nor in a warning nor in an error."""
    provider = start(OPENFUNNEL_LEDGER="off")
    provider.configure(userId="guy@orchestrator.com", apiKey=PROVISIONER_KEY, baseUrl=api)
    told = []
    for wrong in ({"email": "alice@@a.com"}, {"prefix": "ali ce"}):
        [(_, message)] = provider.check(SECRET | wrong)[1]
        told.append(message)
    inputs, _ = provider.check(SECRET)
    accounts.create("alice@orchestrator.com")
    with pytest.raises(grpc.RpcError) as exists:
        provider.create(inputs)
    told.append(said(exists.value))
    outs = inputs | {"api_key": "of_dead", "key_fingerprint": "0123456789abcdef", "key_status": "active"}
    provider.read("1", outs)
    provider.update(outs, inputs | {"email": "alice@elsewhere.com"})
    provider.delete("1", outs)
    told += [message for _, message in provider.engine.logs]
    assert [message for message in told if "alice" in message or "ali ce" in message] == []
    assert told[0] == "customer-1: its address cannot be used. Give one address, such as bob@b.com."
    assert told[2].startswith("customer-1: exists already (409)")
    assert [message.partition(": ")[0] for message in told[-3:]] == ["customer-1"] * 3


def test_two_users_do_not_stand_for_one(provider: Provider) -> None:
    """Two resources whose prefix the program's own transform set alike are refused before anything is asked for."""
    assert provider.check({"email": "alice@a.com", "prefix": "same"})[1] == []
    [(_, message)] = provider.check({"email": "bob@b.com", "prefix": "same"})[1]
    assert message == (
        "same@orchestrator.com: alice@a.com and bob@b.com both map to it. No key was handed out. Set prefix on one, or "
        'email_mapping="subaddress".'
    )


def test_a_holder_that_the_engine_shows_late_fails(start: Start) -> None:
    """A user moved away in this update, and a newcomer took the old one's before its turn came: both are named."""
    accounts = Accounts([Account("guy@orchestrator.com", PROVISIONER_KEY)], existing=Existing.SAME_KEY)
    with serve(accounts) as base_url:
        earlier, provider = (start(OPENFUNNEL_LEDGER="off") for _ in range(2))
        for running in (earlier, provider):
            running.configure(userId="guy@orchestrator.com", apiKey=PROVISIONER_KEY, baseUrl=base_url)
        _, outs = earlier.create(ALICE)
        newcomer = {"email": "alice@b.com", "internal_email": "alice@orchestrator.com"}
        provider.create(newcomer)
        [(_, message)] = provider.check({"email": "alicia@alice-startup.com"}, olds=ALICE)[1]
    assert message.startswith(
        "alice@orchestrator.com: it is the user of alice@alice-startup.com in this stack, and alice@b.com has just got it"
    )
    assert "have OpenFunnel replace the key" in message
    assert outs["api_key"] not in message


def test_a_key_that_another_end_user_holds_is_not_adopted(provider: Provider, accounts: Accounts) -> None:
    """Pasted for a second resource, it is refused at preview, without being shown."""
    key = accounts.create("alice@orchestrator.com").api_key
    for email, refused in (("alice@a.com", False), ("alice@a.com", False), ("bob@b.com", True)):
        failures = provider.check({"email": email, "existing_api_key": key})[1]
        assert bool(failures) is refused
    [(_, message)] = failures
    assert message == (
        "bob@orchestrator.com: existing_api_key of bob@b.com is the same key as that of alice@a.com. Nothing was stored. Pass "
        "each user's own key."
    )


@pytest.mark.parametrize(("existing", "warned"), [(Existing.SAME_KEY, False), (Existing.NEW_KEY, True)])
def test_a_second_key_for_one_user_warns(start: Start, existing: Existing, warned: bool) -> None:
    """A replacement by the same user says whether the stack now holds another key; neither message shows it."""
    accounts = Accounts([Account("guy@orchestrator.com", PROVISIONER_KEY)], existing=existing)
    with serve(accounts) as base_url:
        provider = start(OPENFUNNEL_LEDGER="off")
        provider.configure(userId="guy@orchestrator.com", apiKey=PROVISIONER_KEY, baseUrl=base_url)
        (id_, first), (_, second) = provider.create(ALICE), provider.create(ALICE)
        [off] = provider.engine.warnings
        assert off.startswith("openfunnel:ledger is off: ")
        provider.delete(id_, first)
    assert (first["api_key"] != second["api_key"]) is warned
    assert provider.engine.warnings[1:] == (
        [
            "alice@orchestrator.com: existed already and got a second key: the stack now holds "
            f"{second['key_fingerprint']} in place of {first['key_fingerprint']} (fingerprints). "
            "Whether the first key still works, ask OpenFunnel."
        ]
        if warned
        else []
    )


def test_delete_needs_no_settings_and_warns(start: Start) -> None:
    """A destroy works with nothing configured, and says that the user lives on."""
    provider = start()
    provider.configure()
    provider.delete("1", ALICE_STATE)
    [warning] = provider.engine.warnings
    assert warning.startswith("alice@orchestrator.com: removed from the stack only: ")
    assert "User and key live on." in warning
