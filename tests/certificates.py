"""A certificate authority of the tests' own, and what it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = dt.timedelta(days=1)
_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Signs servers' certificates.

    Args:
        directory: where its files are written.

    Attributes:
        file: its own certificate, for whoever is to trust it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("An authority of the tests")
        ca = _builder(self._name, self._name, self._key)
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        ca = ca.add_extension(_SIGNS, critical=True)
        self.file = directory / "authority.pem"
        self.file.write_bytes(ca.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, host: str) -> ssl.SSLContext:
        """What a server needs to prove that it is this host, a name or an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _builder(_name(host), self._name, key)
        signed = signed.add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = signed.add_extension(by, critical=False)  # Python 3.13 is strict (RFC 5280)
        pem = self._directory / "server.pem"
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem.write_bytes(
            key.private_bytes(encoding, form, serialization.NoEncryption())
            + signed.sign(self._key, hashes.SHA256()).public_bytes(encoding)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
