"""Which proxy a request goes through: a table of NO_PROXY, as curl, Go and pip read it."""

from __future__ import annotations

import pytest

from pulumi_openfunnel.api.proxies import Proxy, proxy_for

PROXY = "http://proxy.corp:3128"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


NAME = "https://api.openfunnel.dev"
PORT = "https://api.openfunnel.dev:8443"
IPV4 = "https://10.1.2.3"
IPV6 = "https://[2001:db8::7]"

EXCEPTED = [
    ("*", NAME),
    (" * ", IPV6),
    ("api.openfunnel.dev", NAME),
    ("API.OpenFunnel.Dev", NAME),
    ("openfunnel.dev", NAME),
    (".openfunnel.dev", NAME),
    ("*.openfunnel.dev", NAME),
    (".dev", NAME),
    ("dev", NAME),
    ("localhost,127.0.0.1, openfunnel.dev ,::1", NAME),
    ("openfunnel.dev:8443", PORT),
    ("openfunnel.dev", PORT),
    ("openfunnel.dev:443", NAME),
    (".svc", "https://openfunnel.prod.svc"),
    (".svc,.cluster.local", "https://openfunnel.prod.svc.cluster.local"),
    ("10.1.2.3", IPV4),
    ("10.0.0.0/8", IPV4),
    ("10.1.2.3/8", IPV4),
    ("10.1.2.3:443", IPV4),
    ("2001:db8::7", IPV6),
    ("2001:DB8:0::7", IPV6),
    ("[2001:db8::7]", IPV6),
    ("[2001:db8::7]:443", IPV6),
    ("[2001:db8::7]:8443", "https://[2001:db8::7]:8443"),
    ("2001:db8::/32", IPV6),
    ("[2001:db8::]/32", IPV6),
    ("[2001:db8::/32]", IPV6),
    ("garbage[/:, ,openfunnel.dev", NAME),
]

NOT_EXCEPTED = [
    ("", NAME),
    (",, ,", NAME),
    (".", NAME),
    ("funnel.dev", NAME),
    ("api.openfunnel.dev.evil.com", NAME),
    ("evil.com", NAME),
    ("openfunnel.dev:8443", NAME),
    ("openfunnel.dev:443", PORT),
    ("openfunnel.dev:port", NAME),
    ("openfunnel.dev:\u00b2", NAME),
    ("**", NAME),
    (".svc", "https://svc.corp"),
    (".svc", "https://mysvc"),
    ("10.0.0.0/8", NAME),
    ("10.0.0.0/8", "https://11.1.2.3"),
    ("10.0.0.0/99", IPV4),
    ("10.1.2.3:8443", IPV4),
    ("2.3", IPV4),
    ("*.2.3", IPV4),
    ("3", IPV4),
    ("10.1.2", IPV4),
    ("2001:db8:1::/48", IPV6),
    ("2001:db8::/129", IPV6),
    ("[2001:db8::7", "https://[2001:db8::8]"),
    ("::/0", IPV4),
    ("0.0.0.0/0", IPV6),
    ("[", IPV6),
    ("]:", NAME),
    ("https://api.openfunnel.dev", NAME),
    ("\u00fcber.dev", NAME),
]


@pytest.mark.parametrize(("no_proxy", "url"), EXCEPTED)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_what_no_proxy_names_goes_there_directly(
    monkeypatch: pytest.MonkeyPatch, variable: str, no_proxy: str, url: str
) -> None:
    """Names with all that is below them, addresses, ranges and ports, in every spelling that is about."""
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv(variable, no_proxy)
    assert proxy_for(url) is None


@pytest.mark.parametrize(("no_proxy", "url"), NOT_EXCEPTED)
def test_what_it_does_not_name_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str) -> None:
    """Neither what merely ends alike, nor what an entry that cannot be read may mean."""
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == Proxy(PROXY, "ALL_PROXY")


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "https://[::1]:8443"])
def test_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever the environment says."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, PROXY)
    assert proxy_for(url) is None


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, NAME, None),
        ({"HTTPS_PROXY": PROXY}, NAME, PROXY),
        ({"https_proxy": PROXY}, NAME, PROXY),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, NAME, PROXY),
        ({"HTTP_PROXY": PROXY}, NAME, None),
        ({"HTTP_PROXY": PROXY}, "http://api.openfunnel.dev", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://api.openfunnel.dev", None),
        ({"ALL_PROXY": PROXY}, NAME, PROXY),
        ({"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, NAME, PROXY),
        ({"HTTPS_PROXY": ""}, NAME, None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, NAME, PROXY),
        ({"HTTPS_PROXY": "proxy.corp:3128"}, NAME, PROXY),
        ({"HTTPS_PROXY": "guy:p%40ss@proxy.corp:3128"}, NAME, "http://guy:p%40ss@proxy.corp:3128"),
        ({"HTTPS_PROXY": "https://proxy.corp:3129"}, NAME, "https://proxy.corp:3129"),
        ({"HTTPS_PROXY": "socks5://proxy.corp:1080"}, NAME, "socks5://proxy.corp:1080"),
        ({"NO_PROXY": "*"}, NAME, None),
    ],
    ids=str,
)
def test_the_variable_of_the_scheme_comes_first(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """Then ALL_PROXY; lower case wins; what has no scheme is an HTTP proxy."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    found = proxy_for(url)
    assert (found and found.url) == proxy
    assert found is None or found.variable in {name.upper() for name in environment}
