"""``doctor``: OpenFunnel, what stands before it, and the provisioner key."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from pulumi_openfunnel.simulator import Account, Accounts, serve

from ..certificates import Authority
from ..doctor_command import PASSWORD, Doctor, provisioner
from ..servers import ORCHESTRATOR, PROVISIONER_KEY, USER_KEY, ScriptedServer

BETWEEN = "Check openfunnel:baseUrl, HTTPS_PROXY and NO_PROXY, and what stands between here and OpenFunnel."
PAGE = f"<html>Log in as guy:{PASSWORD}</html>".encode()


def test_a_refused_key(doctor: Doctor, path: Path) -> None:
    """The simulator knows another one: 401, and how the key is set."""
    with serve(Accounts([Account(ORCHESTRATOR, "of_another")])) as api:
        doctor.cli(config=provisioner(baseUrl=api, ledger=str(path)))
        assert doctor.sees().to_mend() == (
            f"provisioner key: is refused (401) at {api}. Run: pulumi config set --secret openfunnel:apiKey "
            "(or set OPENFUNNEL_API_KEY)."
        )


def test_credits_that_are_used_up(doctor: Doctor, path: Path) -> None:
    """They are told, and whom to ask for more."""
    with serve(Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY)], credits=0)) as api:
        doctor.cli(config=provisioner(baseUrl=api, ledger=str(path)))
        told = f"provisioner key: is accepted at {api}, with 0 credits left. Ask OpenFunnel for more."
        assert doctor.sees().to_mend() == told


def test_an_account_that_is_no_provisioner(doctor: Doctor, path: Path) -> None:
    """The balance is shown to it as well, so the line promises no more than was tried."""
    with serve(Accounts([Account(ORCHESTRATOR, PROVISIONER_KEY, is_provisioner=False)])) as api:
        doctor.cli(config=provisioner(baseUrl=api, ledger=str(path)))
        seen = doctor.sees()
    [told] = seen.about("provisioner key")
    assert told.endswith("; whether it may create users, only creating one tells")
    assert seen.status == 0


ANSWERS = [
    (
        403,
        {"error": USER_KEY},
        "provisioner key: is not allowed (403) at {url}. Ask OpenFunnel to enable is_provisioner on",
    ),
    (401, PAGE, f"{{asked}} somebody between here and OpenFunnel answered in its place (401). {BETWEEN}"),
    (407, PAGE, f"{{asked}} somebody between here and OpenFunnel answered in its place (407). {BETWEEN}"),
    (200, PAGE, f"{{asked}} it answered 200 with no JSON object. {BETWEEN}"),
    (302, b"", f"{{asked}} it answered 302. {BETWEEN}"),
    (404, PAGE, f"{{asked}} it answered 404. {BETWEEN}"),
]


@pytest.mark.parametrize(("status", "body", "told"), ANSWERS)
def test_what_is_answered(
    doctor: Doctor, server: ScriptedServer, path: Path, status: int, body: object, told: str
) -> None:
    """One line tells a page of somebody else's from OpenFunnel's word; the page is not shown."""
    server.answers(status, body)
    doctor.cli(config=provisioner(baseUrl=server.base_url, ledger=str(path)))
    asked = f"OpenFunnel: was asked at {server.base_url}, but"
    assert doctor.sees().to_mend().startswith(told.format(url=server.base_url, asked=asked))
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage(doctor: Doctor, server: ScriptedServer, path: Path, status: int) -> None:
    """It is nobody's to mend here, and says nothing of the key: 2."""
    server.answers(status, {"error": "down"})
    doctor.cli(config=provisioner(baseUrl=server.base_url, ledger=str(path)))
    seen = doctor.sees()
    assert (seen.status, seen.told("mend")) == (2, [])
    assert seen.about("OpenFunnel") == [
        f"unknown was asked at {server.base_url}, but it answered {status}. Run this again later."
    ]


def test_nobody_is_there(doctor: Doctor, path: Path) -> None:
    """A server that is down, and a name that does not resolve."""
    with contextlib.closing(ScriptedServer()) as server:
        url = server.base_url
    doctor.cli(config=provisioner(baseUrl=url, ledger=str(path)))
    assert doctor.sees().to_mend() == f"OpenFunnel: was asked at {url}, but it could not be reached. {BETWEEN}"
    doctor.cli(config=provisioner(baseUrl="https://api.invalid", ledger=str(path)))
    told = "OpenFunnel: was asked at https://api.invalid, but the name of openfunnel:baseUrl does not resolve. "
    assert doctor.sees().to_mend() == told + BETWEEN


def test_a_certificate_that_is_not_trusted(doctor: Doctor, tmp_path: Path, path: Path) -> None:
    """The variable is named that a network's own authority goes into; with it, all is well."""
    authority = Authority(tmp_path)
    with contextlib.closing(ScriptedServer(tls=authority.server("127.0.0.1"))) as server:
        server.answers(200, {"credits_left": 7})
        doctor.cli(config=provisioner(baseUrl=f"https://127.0.0.1:{server.port}", ledger=str(path)))
        told = "but the certificate of openfunnel:baseUrl is not trusted here: set SSL_CERT_FILE. "
        assert told in doctor.sees().to_mend()
        assert doctor.sees(SSL_CERT_FILE=authority.file).status == 0


def test_certificates_that_are_not_there(well: Doctor, tmp_path: Path) -> None:
    """The variable that names them is to be corrected."""
    assert well.sees(SSL_CERT_FILE=tmp_path / "nothing.pem").told("mend")[0] == (
        "SSL_CERT_FILE: names a path that is not there. Correct it, or unset it."
    )


def test_a_proxy(doctor: Doctor, other_server: ScriptedServer, path: Path) -> None:
    """It is named by its variable, never by its URL; what it does not let through is told."""
    other_server.answers(407, PAGE)
    doctor.cli(config=provisioner(ledger=str(path)))
    seen = doctor.sees(HTTPS_PROXY=f"http://guy:{PASSWORD}@127.0.0.1:{other_server.port}")
    assert seen.about("proxy") == ["ok requests to OpenFunnel go through the one that HTTPS_PROXY names"]
    told = "but the proxy that HTTPS_PROXY names did not let the request through."
    assert told in seen.to_mend()


def test_a_proxy_that_is_none(doctor: Doctor, path: Path) -> None:
    """A variable that holds no usable URL is told without it."""
    doctor.cli(config=provisioner(ledger=str(path)))
    told = doctor.sees(HTTPS_PROXY=f"socks9://guy:{PASSWORD}@proxy.corp:x").to_mend()
    assert told.startswith("OpenFunnel: The environment's proxies or certificates cannot be used. Check HTTPS_PROXY, ")
