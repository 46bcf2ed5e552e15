"""The API's base URL: what is one, and its one spelling."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def spelled(value: str) -> str:
    """A base URL in its one spelling: lower case, no slash at the end, no port that goes without saying."""
    url = value.lower().removesuffix("/")
    return url.removesuffix(":443" if url.startswith("https://") else ":80")


def problem(value: str) -> str | None:  # noqa: PLR0911 - a table
    """What is wrong with a base URL, as the words behind its name; None when a request can be made to it."""
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https") or not url.netloc:
        return "does not start with https://"
    if "@" in url.netloc:
        return "holds a user name or password"
    if url.path not in ("", "/") or url.query or url.fragment:
        return "has something behind the host; the API's paths are added to it"
    rebuilt = f"{url.scheme}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    if not _is_host(host) or rebuilt != value.lower().removesuffix("/"):
        return "is not a URL"
    if url.scheme == "http" and not is_loopback(host):
        return "is plain http to another machine, which would show the key on the way"
    return None


def _is_host(host: str) -> bool:
    """Whether a host is an IP address, or a name that a resolver takes."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
    else:
        return True
    return all(_LABEL.fullmatch(label) and _is_idna(label) for label in labels) and not labels[-1].isdigit()


def _is_idna(label: str) -> bool:
    try:
        return bool(label.encode("ascii").decode("idna"))
    except UnicodeError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine: a loopback address literal, or ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
