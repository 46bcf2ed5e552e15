"""Config and environment, read into settings."""

from __future__ import annotations

import pytest

from pulumi_openfunnel import settings
from pulumi_openfunnel.errors import InvalidSetting

from ..servers import ORCHESTRATOR, PROVISIONER_KEY, hides_keys

USER_ID = {"openfunnel:userId": ORCHESTRATOR}

SET_USER_ID = "Run: pulumi config set openfunnel:userId you@yourco.com (or set OPENFUNNEL_USER_ID)."
SET_API_KEY = "Run: pulumi config set --secret openfunnel:apiKey (or set OPENFUNNEL_API_KEY)."
SET_BASE_URL = "Run: pulumi config set openfunnel:baseUrl https://api.openfunnel.dev (or set OPENFUNNEL_BASE_URL)."
SET_TIMEOUT = "Run: pulumi config set openfunnel:timeout 300."

NO_SCHEME = "does not start with https://"
NO_URL = "is not a URL"
USER_INFO = "holds a user name or password"
BEHIND_HOST = "has something behind the host; the API's paths are added to it"
PLAIN_HTTP = "is plain http to another machine, which would show the key on the way"

BAD_BASE_URLS = [
    ("api.openfunnel.dev", NO_SCHEME),
    ("//api.openfunnel.dev", NO_SCHEME),
    ("https:api.openfunnel.dev", NO_SCHEME),
    ("ftp://api.openfunnel.dev", NO_SCHEME),
    ("file:///api", NO_SCHEME),
    ("https://", NO_SCHEME),
    ("https://:8443", NO_URL),
    ("https://[::1", NO_URL),
    ("https://a.com:port", NO_URL),
    ("https://a.com:99999", NO_URL),
    ("https://a.com:-1", NO_URL),
    ("https://a.com: 80", NO_URL),
    ("https://a .com", NO_URL),
    ("https://a\n.com", NO_URL),
    ("ht\ttps://a.com", NO_URL),
    ("https://b\u00fccher.de", NO_URL),
    ("https://guy:secret@a.com", USER_INFO),
    ("https://guy@a.com", USER_INFO),
    ("http://127.0.0.1@evil.com", USER_INFO),
    ("http://localhost:80@evil.com", USER_INFO),
    ("http://127.0.0.1\\@evil.com", USER_INFO),
    ("https://a.com/api", BEHIND_HOST),
    ("https://a.com//", BEHIND_HOST),
    ("https://a.com?key=1", BEHIND_HOST),
    ("https://a.com/?key=1", BEHIND_HOST),
    ("https://a.com/#top", BEHIND_HOST),
    ("http://api.openfunnel.dev", PLAIN_HTTP),
    ("HTTP://api.openfunnel.dev", PLAIN_HTTP),
    ("http://127.0.0.1.evil.com", PLAIN_HTTP),
    ("http://localhost.evil.com", PLAIN_HTTP),
    ("http://evil-localhost", PLAIN_HTTP),
    ("http://0.0.0.0:8080", PLAIN_HTTP),
    ("http://10.0.0.1", PLAIN_HTTP),
    ("http://[2001:db8::1]", PLAIN_HTTP),
]


def _read(config: dict[str, object], environ: dict[str, str] | None = None) -> settings.Settings:
    return settings.read(config.get, environ or {})


def _refused(config: dict[str, object], environ: dict[str, str] | None = None) -> InvalidSetting:
    """The error for settings that are refused; whatever is wrong, it is one line and holds no key."""
    with pytest.raises(InvalidSetting) as caught:
        _read(config, environ)
    assert str(caught.value).isprintable()
    assert hides_keys(caught.value)
    return caught.value


def test_the_user_id_alone_is_enough() -> None:
    """With nothing but a user id the rest has its defaults, and no key."""
    assert _read({**USER_ID}) == settings.Settings(
        user_id=ORCHESTRATOR,
        domain="orchestrator.com",
        base_url="https://api.openfunnel.dev",
        api_key=None,
        timeout=300.0,
        ledger=settings.default_ledger(),
    )


def test_the_environment_is_enough() -> None:
    """The user id, the key and the base URL are read from OpenFunnel's variables."""
    found = _read(
        {},
        {
            "OPENFUNNEL_USER_ID": ORCHESTRATOR,
            "OPENFUNNEL_API_KEY": PROVISIONER_KEY,
            "OPENFUNNEL_BASE_URL": "http://127.0.0.1:8080",
        },
    )
    assert (found.user_id, found.api_key, found.base_url) == (ORCHESTRATOR, PROVISIONER_KEY, "http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("setting", "variable", "attribute", "value", "other"),
    [
        ("userId", "OPENFUNNEL_USER_ID", "user_id", ORCHESTRATOR, "other@other.com"),
        ("apiKey", "OPENFUNNEL_API_KEY", "api_key", PROVISIONER_KEY, "of_other"),
        ("baseUrl", "OPENFUNNEL_BASE_URL", "base_url", "https://a.com", "https://b.com"),
    ],
)
class TestPrecedence:
    """The stack's config comes before the environment."""

    def test_config_comes_first(self, setting: str, variable: str, attribute: str, value: str, other: str) -> None:
        """A value in the stack's config wins over the environment's."""
        found = _read({**USER_ID, f"openfunnel:{setting}": value}, {variable: other})
        assert getattr(found, attribute) == value

    @pytest.mark.parametrize("empty", [None, "", "  ", "\n"])
    def test_empty_counts_as_unset(
        self, *, setting: str, variable: str, attribute: str, value: str, other: str, empty: str | None
    ) -> None:
        """An empty or blank value in the config gives way to the environment's."""
        assert value != other
        found = _read({**USER_ID, f"openfunnel:{setting}": empty}, {variable: other})
        assert getattr(found, attribute) == other


@pytest.mark.parametrize(
    ("other", "setting"),
    [
        ("openfunnel:apikey", "openfunnel:apiKey"),
        ("openfunnel:api_key", "openfunnel:apiKey"),
        ("openfunnel:api-key", "openfunnel:apiKey"),
        ("openfunnel:user_id", "openfunnel:userId"),
        ("openfunnel:userid", "openfunnel:userId"),
        ("openfunnel:base-url", "openfunnel:baseUrl"),
        ("openfunnel:baseurl", "openfunnel:baseUrl"),
    ],
)
def test_a_misspelled_setting_is_refused(other: str, setting: str) -> None:
    """It would be passed over; the line says what was meant, and nothing of its value."""
    for config in ({other: PROVISIONER_KEY}, {**USER_ID, setting: ORCHESTRATOR, other: PROVISIONER_KEY}):
        error = _refused(dict(config))
        assert str(error) == f"{other} is not a setting: did you mean {setting}? Run: pulumi config rm {other}."
        assert error.setting == other


def test_a_setting_of_somebody_else_is_none_of_ours() -> None:
    """Nor is one whose name is another word."""
    found = _read({**USER_ID, "other:apikey": "x", "openfunnel:region": "eu", "apiKey": "x"})
    assert found.user_id == ORCHESTRATOR


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_counts_as_unset(empty: str) -> None:
    """An empty variable of the environment is no value, either."""
    found = _read({**USER_ID}, {"OPENFUNNEL_API_KEY": empty, "OPENFUNNEL_BASE_URL": empty})
    assert (found.api_key, found.base_url) == (None, "https://api.openfunnel.dev")


@pytest.mark.parametrize("environ", [{}, {"OPENFUNNEL_USER_ID": ""}, {"OPENFUNNEL_USER_ID": " "}])
def test_a_missing_user_id_is_refused(environ: dict[str, str]) -> None:
    """Without a user id the message names the setting and the command that sets it."""
    error = _refused({}, environ)
    assert str(error) == f"openfunnel:userId is not set. {SET_USER_ID}"
    assert error.setting == "openfunnel:userId"


@pytest.mark.parametrize(
    "value",
    [PROVISIONER_KEY, f"{PROVISIONER_KEY}@", f"guy@{PROVISIONER_KEY}", f"guy@orchestrator.com\n{PROVISIONER_KEY}", 3],
    ids=["a key", "a key and an @", "a key as the domain", "a key on a second line", "a number"],
)
def test_a_user_id_that_is_no_address_is_not_repeated(value: object) -> None:
    """A user id that is no address is refused without its value, where a key may stand."""
    error = _refused({"openfunnel:userId": value})
    assert str(error) == f"openfunnel:userId is not an email address. {SET_USER_ID}"
    assert error.setting == "openfunnel:userId"


@pytest.mark.parametrize(
    ("value", "user_id", "domain"),
    [
        ("Guy@Orchestrator.COM", "Guy@Orchestrator.COM", "orchestrator.com"),
        (" guy@orchestrator.com\n", "guy@orchestrator.com", "orchestrator.com"),
        ("guy@b\u00fccher.de", "guy@xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("guy@xn--bcher-kva.de", "guy@xn--bcher-kva.de", "xn--bcher-kva.de"),
    ],
    ids=ascii,
)
def test_the_domain_is_that_of_the_user_id(value: str, user_id: str, domain: str) -> None:
    """The domain is the user id's in lower-case ASCII; the user id itself only becomes ASCII."""
    found = _read({"openfunnel:userId": value})
    assert (found.user_id, found.domain) == (user_id, domain)


@pytest.mark.parametrize(
    ("value", "base_url"),
    [
        ("https://a.com", "https://a.com"),
        ("https://a.com/", "https://a.com"),
        ("https://a.com:8443", "https://a.com:8443"),
        ("https://a.com:8443/", "https://a.com:8443"),
        ("HTTPS://A.com", "https://a.com"),
        (" https://a.com\n", "https://a.com"),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.2", "http://127.0.0.2"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://LOCALHOST:1/", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
    ids=ascii,
)
def test_a_base_url_is_a_scheme_a_host_and_a_port(value: str, base_url: str) -> None:
    """A base URL is https to anywhere or http to this machine, and loses the slash at its end."""
    assert _read({**USER_ID, "openfunnel:baseUrl": value}).base_url == base_url


@pytest.mark.parametrize(("value", "problem"), BAD_BASE_URLS, ids=ascii)
def test_any_other_base_url_is_refused(value: str, problem: str) -> None:
    """A base URL that is unsafe or no URL is refused with its reason and without its value."""
    error = _refused({**USER_ID, "openfunnel:baseUrl": value})
    assert str(error) == f"openfunnel:baseUrl {problem}. {SET_BASE_URL}"
    assert error.setting == "openfunnel:baseUrl"


@pytest.mark.parametrize(
    "value",
    ["https://a..com", f"https://{'a' * 64}.com", "https://256.1.1.1", "https://xn--a.com", "https://.."],
    ids=["empty label", "label of 64 characters", "no IPv4 address", "no IDNA", "dots"],
)
def test_a_host_that_nobody_can_have_is_refused(value: str) -> None:
    """A base URL whose host no request could be made to is refused before one is made."""
    assert _refused({**USER_ID, "openfunnel:baseUrl": value}).setting == "openfunnel:baseUrl"


@pytest.mark.parametrize(
    "value",
    [
        PROVISIONER_KEY,
        f"https://guy:{PROVISIONER_KEY}@a.com",
        f"https://guy:{PROVISIONER_KEY}",
        f"https://a.com/{PROVISIONER_KEY}",
        f"https://a.com?key={PROVISIONER_KEY}",
        f"http://{PROVISIONER_KEY}",
        f"https://[{PROVISIONER_KEY}]",
    ],
    ids=["alone", "as password", "as port", "as path", "as query", "as host", "as IPv6 address"],
)
def test_a_key_in_the_base_url_is_not_repeated(value: str) -> None:
    """A key that stands in the base URL is in no message, nor behind one."""
    error = _refused({**USER_ID, "openfunnel:baseUrl": value})
    assert str(error).endswith(SET_BASE_URL)


@pytest.mark.parametrize("blanks", ["{}", " {}", "{}\n", "\t{} \r\n"], ids=ascii)
def test_a_key_loses_the_blanks_around_it(blanks: str) -> None:
    """White space around a key, such as the line break of a file, is dropped."""
    found = _read({**USER_ID, "openfunnel:apiKey": blanks.format(PROVISIONER_KEY)})
    assert found.require_api_key() == PROVISIONER_KEY


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", "\t", "\x00", "\x7f", "\u00e9", "\u200b"], ids=ascii)
def test_a_key_that_a_header_cannot_carry_is_refused(between: str) -> None:
    """A key with a blank, a control character or a non-ASCII letter inside is refused and not repeated."""
    error = _refused({**USER_ID, "openfunnel:apiKey": f"{PROVISIONER_KEY}{between}{PROVISIONER_KEY}"})
    assert str(error) == (
        f"openfunnel:apiKey holds a space, a line break or another character no key has. {SET_API_KEY}"
    )
    assert error.setting == "openfunnel:apiKey"


def test_a_key_of_the_environment_is_checked_as_well() -> None:
    """A key with a blank inside is refused, wherever it comes from."""
    error = _refused({**USER_ID}, {"OPENFUNNEL_API_KEY": f"{PROVISIONER_KEY} {PROVISIONER_KEY}"})
    assert error.setting == "openfunnel:apiKey"


def test_a_missing_key_is_refused_when_it_is_required() -> None:
    """Settings can be read without a key; requiring it names the setting and the command that sets it."""
    found = _read({**USER_ID})
    with pytest.raises(InvalidSetting) as caught:
        found.require_api_key()
    assert str(caught.value) == f"openfunnel:apiKey is not set. {SET_API_KEY}"
    assert caught.value.setting == "openfunnel:apiKey"


def test_settings_do_not_show_the_key() -> None:
    """Neither repr nor str of settings shows the key that they hold."""
    found = _read({**USER_ID, "openfunnel:apiKey": PROVISIONER_KEY})
    assert found.api_key == PROVISIONER_KEY
    assert PROVISIONER_KEY not in repr(found) + str(found)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1", 1.0), ("0.5", 0.5), (" 60 ", 60.0), (60, 60.0), ("1e3", 1000.0), ("86400", 86400.0), ("", 300.0)],
)
def test_a_timeout_is_a_number_of_seconds(value: object, seconds: float) -> None:
    """A timeout is any number of seconds up to a day; an empty one is the default."""
    assert _read({**USER_ID, "openfunnel:timeout": value}).timeout == seconds


@pytest.mark.parametrize("value", ["0", "-1", "86400.1", "nan", "inf", "-inf", "5m", "five", True, PROVISIONER_KEY])
def test_any_other_timeout_is_refused(value: object) -> None:
    """A timeout that is no number of seconds within a day is refused."""
    error = _refused({**USER_ID, "openfunnel:timeout": value})
    assert str(error) == f"openfunnel:timeout is not a number of seconds between 0 and 86400. {SET_TIMEOUT}"
    assert error.setting == "openfunnel:timeout"


@pytest.mark.parametrize("user_id", ["of_A_Key_In_The_Wrong_Place", "", "  "])
def test_a_destination_tells_nothing_of_what_is_no_address(user_id: str) -> None:
    """A key in the place of the user id never becomes a domain, whatever its case."""
    config = {"openfunnel:userId": user_id, "openfunnel:orchestrators": {"acme": {"userId": user_id}}}
    for orchestrator in (None, "acme", "unheard_of"):
        assert settings.destination(config.get, {}, orchestrator) == ("https://api.openfunnel.dev", "")


@pytest.mark.parametrize(
    ("user_id", "domain"),
    [("guy@Orchestrator.com", "orchestrator.com"), ("guy@stra\u00dfe.de", "xn--strae-oqa.de")],
)
def test_a_destination_is_where_users_are_created(user_id: str, domain: str) -> None:
    """The unchecked destination is the checked settings' base URL and domain."""
    config = {"openfunnel:userId": user_id, "openfunnel:baseUrl": "HTTPS://Api.Example.com/"}
    checked = settings.read(config.get, {})
    assert settings.destination(config.get, {}) == (checked.base_url, checked.domain)
    assert checked.domain == domain
