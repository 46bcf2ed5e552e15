"""Which proxy of the environment a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

httpx reads them, too, but fails on NO_PROXY entries that curl, Go and pip take (IPv6 ranges, brackets).
"""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..base_url import is_loopback

_PORTS = {"http": 80, "https": 443}  # of URLs that name none


def proxy_for(url: str) -> str | None:
    """The proxy for requests to a URL, itself a URL; None when they go there directly.

    Args:
        url: scheme, host and port. What goes to this machine itself never goes through a proxy.
    """
    target = urlsplit(url)
    host = target.hostname or ""
    proxies = getproxies()
    port = target.port or _PORTS.get(target.scheme)
    if is_loopback(host) or _is_excepted(host, port, proxies.get("no", "")):
        return None
    proxy = proxies.get(target.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _is_excepted(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host. An entry that cannot be read names none."""
    return any(_names(entry.strip().lower(), host, port) for entry in no_proxy.split(","))


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    name, colon, its_port = entry.rpartition(":")
    if colon and its_port.isdecimal() and (":" not in name or name.endswith("]")):  # not a part of an IPv6 address
        return port == int(its_port) and _names(name, host, None)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.lstrip("*.")
        return bool(name) and f".{host}".endswith(f".{name}")
    with contextlib.suppress(ValueError):
        return address in ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    return False
