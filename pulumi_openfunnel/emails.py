"""From an end user's address to the internal email that OpenFunnel knows the user by. Pure."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from .errors import InvalidInput

PREFIX = "prefix"
SUBADDRESS = "subaddress"
EMAIL_MAPPINGS = (PREFIX, SUBADDRESS)
ADVICE = "Give one address, such as bob@b.com."

_SPECIAL = frozenset({"arpa", "example", "invalid", "local", "localhost", "onion", "test"})
_MAX_PLAIN = 200

_MAX_LOCAL = 64  # characters before the @ (RFC 5321, 4.5.3.1.1)
_SHOWN = 80  # characters of a wrong value that a message repeats


@dataclass(frozen=True)
class Address:
    """An email address whose syntax holds.

    Attributes:
        local: what stands before the @, in lower case; ASCII.
        domain: what stands behind it, in lower case; Unicode when it is internationalized.
        ascii_domain: the same in ASCII (IDNA 2008), as it goes over the wire.
    """

    local: str
    domain: str
    ascii_domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse(text: object) -> Address:
    """Read an end user's address by syntax alone: no DNS, no display name, no quoted or non-ASCII local part.

    Args:
        text: the address; surrounding white space and case do not matter.

    Raises:
        InvalidInput: of ``email``, with one line that gives the reason.
    """
    if not isinstance(text, str):
        raise InvalidInput("email", "email: not text.", ADVICE)
    plain = text.strip().lower() if text.isascii() else ""  # lower() makes an ASCII k of a Kelvin sign
    if _plain().fullmatch(plain) and plain.rpartition(".")[2] not in _SPECIAL and len(plain) < _MAX_PLAIN:
        local, _, domain = plain.rpartition("@")
        return Address(local, domain, domain)
    import email_validator

    try:
        found = email_validator.validate_email(
            text.strip(), check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except email_validator.EmailSyntaxError as error:
        problem = f"email {quoted(text)}: {_reason(text, error)}"
    else:
        return Address(found.local_part.lower(), found.domain.lower(), (found.ascii_domain or found.domain).lower())
    raise InvalidInput("email", problem, ADVICE)


@functools.cache
def _plain() -> re.Pattern[str]:
    """Addresses that need no validator: a subset of what it accepts, in the spelling that it gives."""
    return re.compile(
        r"(?=[^@]{1,64}@)[a-z0-9_+-]+(\.[a-z0-9_+-]+)*@([a-z0-9](?!.?-?--)([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}",
        re.ASCII,
    )


def normalize(text: object) -> object:
    """The one spelling of an address that is compared; what is no address is returned as it is."""
    try:
        return str(parse(text))
    except InvalidInput:
        return text


def internal_email(email: object, domain: str, *, prefix: object = None, email_mapping: object = PREFIX) -> str:
    """The address at the orchestrator's domain that stands for an end user.

    Args:
        email: the end user's address; only looked at where no prefix is given.
        domain: the orchestrator's domain, in ASCII.
        prefix: the whole local part to use instead of the mapped one.
        email_mapping: ``"prefix"`` keeps the local part (``alice@a.com`` is ``alice@orchestrator.com``);
            ``"subaddress"`` adds the end user's domain to it as a detail (RFC 5233:
            ``alice+a.com@orchestrator.com``), so that two end users' domains cannot collide.

    Returns:
        The address in lower case.

    Raises:
        InvalidInput: for an unknown mapping, or when the result is no valid address.
    """
    if email_mapping not in EMAIL_MAPPINGS:
        raise InvalidInput(
            "email_mapping", f"email_mapping {quoted(email_mapping)}: unknown.", 'Give "prefix" or "subaddress".'
        )
    if prefix is not None:
        if not isinstance(prefix, str):
            raise InvalidInput("prefix", "prefix: not text.", "Give what is to stand before the @.")
        return _joined(prefix.strip(), domain, "prefix", prefix, "another prefix")
    address = parse(email)
    if email_mapping == PREFIX:
        return _joined(address.local, domain, "email", address, "prefix")
    detailed = f"{address.local}+{address.ascii_domain}"
    return _joined(detailed, domain, "email", address, 'prefix, or email_mapping="prefix"')


def spelled(email: str, domain: str, *, prefix: str | None = None, email_mapping: str | None = None) -> str:
    """What :func:`internal_email` returns, by string operations alone and without a check.

    A program compares its users with it: loading the validator would cost every program time, and what is no
    address is refused later.
    """
    if prefix is not None:
        return f"{prefix.strip()}@{domain}".lower()
    local, _, own_domain = email.strip().lower().rpartition("@")
    detail = f"+{ascii_domain(own_domain)}" if email_mapping == SUBADDRESS else ""
    return f"{local}{detail}@{domain}".lower()


def ascii_domain(domain: str) -> str:
    """A domain in ASCII (IDNA 2008, as the validator maps it) and lower case; unchanged when it is none."""
    if domain.isascii():
        return domain.lower()
    import idna

    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except idna.IDNAError:
        return domain.lower()


def _joined(local: str, domain: str, property: str, given: object, way_out: str) -> str:
    """The address of ``local`` at ``domain``; an error says of ``property``, and what it was, why there is none."""
    try:
        found = parse(f"{local}@{domain}")
    except InvalidInput:
        reason = _local_reason(local)
    else:
        return f"{found.local}@{found.ascii_domain}"
    raise InvalidInput(property, f"{property} {quoted(given)}: {reason}", f"Set {way_out}.")


def _local_reason(local: str) -> str:
    """Why ``local`` cannot stand before an @."""
    if not local:
        return "empty."
    if len(local) > _MAX_LOCAL:
        return f"{len(local)} characters before the @ ({quoted(local)}), of at most {_MAX_LOCAL}."
    if "@" in local:
        return "an @ in it; it is only what stands before the @."
    import email_validator

    try:
        email_validator.validate_email(
            f"{local}@example.com", check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except email_validator.EmailSyntaxError as error:
        return f"not valid before the @. {_one_line(error)}"
    return "too long together with the orchestrator's domain."


def _reason(text: str, error: ValueError) -> str:
    """Why a text is no address: the validator's sentence where there is no shorter one."""
    if not text.strip():
        return "empty."
    if text.count("@") > 1 and '"' not in text and "<" not in text:
        return "more than one @."
    return f"not an address. {_one_line(error)}"


def _one_line(error: ValueError) -> str:
    """The validator's explanation, whole sentences, not longer than a line."""
    return _cut(str(error), 2 * _SHOWN)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "…"


def quoted(value: object) -> str:
    """A value as a message shows it: on one line, escaped and not longer than a glance."""
    return '"' + "".join(c if c.isprintable() else repr(c)[1:-1] for c in _cut(str(value), _SHOWN)) + '"'
