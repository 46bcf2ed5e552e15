"""The API's base URL: its one spelling, and which hosts are this machine; what is none: test_settings."""

from __future__ import annotations

import pytest

from pulumi_openfunnel import base_url


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("", False),
        ("localhost.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    """A loopback host is localhost or a loopback address, and no name that merely begins like one."""
    assert base_url.is_loopback(host) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("HTTPS://Api.Example.com/", "https://api.example.com"),
        ("https://a.com:443", "https://a.com"),
        ("https://a.com:443/", "https://a.com"),
        ("https://a.com:80", "https://a.com:80"),
        ("https://a.com:8443", "https://a.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
    ],
)
def test_one_place_has_one_spelling(value: str, expected: str) -> None:
    """Case, a slash at the end and the port that goes without saying do not make another API."""
    assert base_url.spelled(value) == expected
    assert base_url.problem(expected) is None
