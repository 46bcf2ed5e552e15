"""From an end user's address to the internal email: a table of inputs, and the exact message the user gets."""

from __future__ import annotations

import pytest

from pulumi_openfunnel import emails
from pulumi_openfunnel.errors import InvalidInput

DOMAIN = "orchestrator.com"
LONG_DOMAIN = ".".join(["d" * 60] * 4) + ".com.de"  # 250 characters; an address may have 254

NO_ADDRESSES = [
    ("", 'email "": empty'),
    ("   ", 'email "   ": empty'),
    ("bob", 'email "bob": not an address. An email address must have an @-sign'),
    ("@b.com", 'email "@b.com": not an address. There must be something before the @-sign'),
    ("bob@", 'email "bob@": not an address. There must be something after the @-sign'),
    ("bob@a@b.com", 'email "bob@a@b.com": more than one @'),
    (
        "bo b@b.com",
        'email "bo b@b.com": not an address. The email address contains invalid characters before the @-sign: SPACE',
    ),
    ("bob@b .com", 'email "bob@b .com": not an address. The part after the @-sign contains invalid characters: SPACE'),
    (
        "Bob <bob@b.com>",
        'email "Bob <bob@b.com>": not an address. A display name and angle brackets around the email address are not permitted here',
    ),
    ('"bo b"@b.com', 'email ""bo b"@b.com": not an address. Quoting the part before the @-sign is not allowed here'),
    (
        "b\u00f3b@b.com",
        "email \"b\u00f3b@b.com\": not an address. Internationalized characters before the @-sign are not supported: 'ó'",
    ),
    (
        "bob\uff20b.com",
        (
            'email "bob\uff20b.com": not an address. The email address has the "full-width" at-sign (@) character instead of a regular '
            "at-sign"
        ),
    ),
    (".bob@b.com", 'email ".bob@b.com": not an address. An email address cannot start with a period'),
    (
        "bob.@b.com",
        'email "bob.@b.com": not an address. An email address cannot have a period immediately before the @-sign',
    ),
    ("bo..b@b.com", 'email "bo..b@b.com": not an address. An email address cannot have two periods in a row'),
    ("bob@b.com.", 'email "bob@b.com.": not an address. An email address cannot end with a period'),
    (
        "a" * 65 + "@b.com",
        f'email "{"a" * 65}@b.com": not an address. The email address is too long before the @-sign (1 character too many)',
    ),
    ("bob@b", 'email "bob@b": not an address. The part after the @-sign is not valid. It should have a period'),
    (
        "bob@[127.0.0.1]",
        'email "bob@[127.0.0.1]": not an address. A bracketed IP address after the @-sign is not allowed here',
    ),
    (
        "bob@127.0.0.1",
        'email "bob@127.0.0.1": not an address. The part after the @-sign is not valid. It is not within a valid top-level domain',
    ),
    ("bob@b.com,al@b.com", 'email "bob@b.com,al@b.com": more than one @'),
    ("bob@b.com; al@b.com", 'email "bob@b.com; al@b.com": more than one @'),
    (
        "bo\nb@b.com",
        'email "bo\\nb@b.com": not an address. The email address contains invalid characters before the @-sign: U+000A',
    ),
    (
        "bob@b.\ncom",
        'email "bob@b.\\ncom": not an address. The part after the @-sign contains invalid characters: U+000A',
    ),
    ("bob@b.com\nal@b.com", 'email "bob@b.com\\nal@b.com": more than one @'),
    (
        "bob@xn--a.com",
        (
            'email "bob@xn--a.com": not an address. The part after the @-sign is not valid IDNA (Codepoint U+0080 at position 1 of '
            "'\\x80' not allowed)"
        ),
    ),
    (None, "email: not text"),
    (3, "email: not text"),
    (["bob@b.com"], "email: not text"),
]

ADDRESSES = [
    ("alice@a.com", "alice@a.com", "alice@orchestrator.com", "alice+a.com@orchestrator.com"),
    ("Alice@A.COM", "alice@a.com", "alice@orchestrator.com", "alice+a.com@orchestrator.com"),
    (" \talice@a.com\n", "alice@a.com", "alice@orchestrator.com", "alice+a.com@orchestrator.com"),
    ("alice+news@a.com", "alice+news@a.com", "alice+news@orchestrator.com", "alice+news+a.com@orchestrator.com"),
    ("o'brien@a.com", "o'brien@a.com", "o'brien@orchestrator.com", "o'brien+a.com@orchestrator.com"),
    ("a_b-c.d@a.io", "a_b-c.d@a.io", "a_b-c.d@orchestrator.com", "a_b-c.d+a.io@orchestrator.com"),
    (
        "alice@B\u00dcCHER.de",
        "alice@b\u00fccher.de",
        "alice@orchestrator.com",
        "alice+xn--bcher-kva.de@orchestrator.com",
    ),
    (
        "alice@XN--BCHER-KVA.de",
        "alice@b\u00fccher.de",
        "alice@orchestrator.com",
        "alice+xn--bcher-kva.de@orchestrator.com",
    ),
    ("a" * 64 + "@b.com", "a" * 64 + "@b.com", "a" * 64 + "@orchestrator.com", None),
]

NO_PREFIXES = [
    ("", 'prefix "": empty'),
    ("  ", 'prefix "  ": empty'),
    ("alice@a.com", 'prefix "alice@a.com": an @ in it; it is only what stands before the @'),
    (
        "a" * 65,
        f'prefix "{"a" * 65}": 65 characters before the @ ("{"a" * 65}"), of at most 64',
    ),
    (
        "al ice",
        'prefix "al ice": not valid before the @. The email address contains invalid characters before the @-sign: SPACE',
    ),
    (
        "al,ice",
        "prefix \"al,ice\": not valid before the @. The email address contains invalid characters before the @-sign: ','",
    ),
    (
        "al\nice",
        'prefix "al\\nice": not valid before the @. The email address contains invalid characters before the @-sign: U+000A',
    ),
    (
        "\u00e1lice",
        "prefix \"\u00e1lice\": not valid before the @. Internationalized characters before the @-sign are not supported: 'á'",
    ),
    ('"alice"', 'prefix ""alice"": not valid before the @. Quoting the part before the @-sign is not allowed here'),
    (".alice", 'prefix ".alice": not valid before the @. An email address cannot start with a period'),
    (
        "alice.",
        'prefix "alice.": not valid before the @. An email address cannot have a period immediately before the @-sign',
    ),
]


def _shown(value: object) -> str:
    return ascii(value)[:30]


@pytest.mark.parametrize(("text", "reason"), NO_ADDRESSES, ids=_shown)
def test_what_is_no_address_is_refused_with_its_reason(text: object, reason: str) -> None:
    """An input that is no single plain address is refused with the exact reason and an example."""
    with pytest.raises(InvalidInput) as caught:
        emails.internal_email(text, DOMAIN)
    assert str(caught.value) == f"{reason}. Give one address, such as bob@b.com."
    assert caught.value.property == "email"


@pytest.mark.parametrize(
    "text",
    [
        "bo\nb@b.com",
        "bob@b.com\r\nal@b.com",
        "bo\x0bb@b.com",
        "bo\x85b@b.com",
        "bo\u2028b@b.com",
        "bob@b\u2029.com",
        "b\x1b[31mob@b.com",
        "b\u202eob@b.com",
        "\n".join(["bob"] * 40),
    ],
    ids=_shown,
)
def test_a_message_is_one_printable_line(text: str) -> None:
    """Whatever an address holds, the message about it is one line without control characters."""
    with pytest.raises(InvalidInput) as caught:
        emails.parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", ["x" * 81, "x" * 100_000, "x" * 100_000 + "@b.com", "a@b@" + "c" * 100_000], ids=_shown
)
def test_a_long_value_is_cut_in_the_message(text: str) -> None:
    """Of a value longer than 80 characters a message shows the start, and the message stays short."""
    with pytest.raises(InvalidInput) as caught:
        emails.parse(text)
    message = str(caught.value)
    assert message.startswith(f'email "{text[:80]}…": ')
    assert len(message) < 300


def test_a_value_of_80_characters_is_shown_whole() -> None:
    """The longest value that is not cut has 80 characters."""
    with pytest.raises(InvalidInput) as caught:
        emails.parse("x" * 80)
    assert str(caught.value).startswith(f'email "{"x" * 80}": ')


@pytest.mark.parametrize("text", [text for text, *_ in ADDRESSES], ids=_shown)
def test_an_error_of_an_address_holds_nothing_of_its_parser(text: str) -> None:
    """No parser's exception hangs behind the error, because it could hold more than the message."""
    with pytest.raises(InvalidInput) as caught:
        emails.parse(f"{text.strip()}@")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("text", "_normal", "by_prefix", "_by_subaddress"), ADDRESSES, ids=_shown)
def test_the_local_part_is_kept_at_the_orchestrators_domain(
    text: str, _normal: str, by_prefix: str, _by_subaddress: str | None
) -> None:
    """The prefix mapping, which is the default, keeps the local part in lower case."""
    assert emails.internal_email(text, DOMAIN) == by_prefix
    assert emails.internal_email(text, DOMAIN, email_mapping="prefix") == by_prefix


@pytest.mark.parametrize(
    ("text", "by_subaddress"), [(text, found) for text, _, _, found in ADDRESSES if found], ids=_shown
)
def test_the_subaddress_mapping_adds_the_end_users_domain(text: str, by_subaddress: str) -> None:
    """The subaddress mapping adds the end user's domain, in ASCII, to the local part."""
    assert emails.internal_email(text, DOMAIN, email_mapping="subaddress") == by_subaddress


def test_the_subaddress_mapping_keeps_domains_apart() -> None:
    """Two end users with one local part at two domains collide by prefix, and do not by subaddress."""
    users = ("alice@a.com", "alice@b.com")
    assert len({emails.internal_email(user, DOMAIN) for user in users}) == 1
    assert len({emails.internal_email(user, DOMAIN, email_mapping="subaddress") for user in users}) == 2


def test_a_subaddress_may_have_64_characters() -> None:
    """Local part, plus sign and domain may have 64 characters together."""
    email = "a" * 58 + "@b.com"
    assert emails.internal_email(email, DOMAIN, email_mapping="subaddress") == f"{'a' * 58}+b.com@{DOMAIN}"


def test_a_subaddress_of_65_characters_is_refused() -> None:
    """A subaddress of 65 characters is refused, with the way out of it."""
    with pytest.raises(InvalidInput) as caught:
        emails.internal_email("a" * 59 + "@b.com", DOMAIN, email_mapping="subaddress")
    assert str(caught.value) == (
        f'email "{"a" * 59}@b.com": 65 characters before the @ ("{"a" * 59}+b.com"), of at most 64. '
        'Set prefix, or email_mapping="prefix".'
    )
    assert caught.value.property == "email"


@pytest.mark.parametrize(
    ("email_mapping", "shown"),
    [("domain", "domain"), ("Prefix", "Prefix"), ("", ""), (None, "None"), (3, "3"), ("a\nb", "a\\nb")],
)
def test_an_unknown_mapping_is_refused(email_mapping: object, shown: str) -> None:
    """Only the two mappings are known, by their exact names, even where a prefix is given."""
    for prefix in (None, "alice"):
        with pytest.raises(InvalidInput) as caught:
            emails.internal_email("alice@a.com", DOMAIN, prefix=prefix, email_mapping=email_mapping)
        assert str(caught.value) == f'email_mapping "{shown}": unknown. Give "prefix" or "subaddress".'
        assert caught.value.property == "email_mapping"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("team", "team@orchestrator.com"),
        ("  Team-A\n", "team-a@orchestrator.com"),
        ("team+a", "team+a@orchestrator.com"),
        ("p" * 64, "p" * 64 + "@orchestrator.com"),
    ],
    ids=_shown,
)
@pytest.mark.parametrize("email_mapping", emails.EMAIL_MAPPINGS)
def test_a_prefix_replaces_the_mapped_local_part(prefix: str, expected: str, email_mapping: str) -> None:
    """A prefix is the whole local part, whatever the mapping, in lower case and without white space around it."""
    assert emails.internal_email("alice@a.com", DOMAIN, prefix=prefix, email_mapping=email_mapping) == expected


def test_beside_a_prefix_the_address_is_not_looked_at() -> None:
    """Where a prefix is given, the end user's address may be anything."""
    assert emails.internal_email("nobody", DOMAIN, prefix="team") == "team@orchestrator.com"


@pytest.mark.parametrize(("prefix", "reason"), NO_PREFIXES, ids=_shown)
def test_what_cannot_stand_before_the_at_sign_is_no_prefix(prefix: str, reason: str) -> None:
    """A prefix that gives no valid address is refused with the exact reason."""
    with pytest.raises(InvalidInput) as caught:
        emails.internal_email("alice@a.com", DOMAIN, prefix=prefix)
    assert str(caught.value) == f"{reason}. Set another prefix."
    assert caught.value.property == "prefix"


@pytest.mark.parametrize("prefix", [3, True, ["team"]])
def test_a_prefix_that_is_no_text_is_refused(prefix: object) -> None:
    """A prefix that is no text is refused and never turned into one."""
    with pytest.raises(InvalidInput) as caught:
        emails.internal_email("alice@a.com", DOMAIN, prefix=prefix)
    assert caught.value.property == "prefix"


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        (None, 'email "alice@a.com": too long together with the orchestrator\'s domain. Set prefix.'),
        ("alice-b", 'prefix "alice-b": too long together with the orchestrator\'s domain. Set another prefix.'),
    ],
)
def test_the_whole_internal_email_has_a_length_limit(prefix: str | None, message: str) -> None:
    """A local part that is too long for the orchestrator's domain is refused, though valid elsewhere."""
    with pytest.raises(InvalidInput) as caught:
        emails.internal_email("alice@a.com", LONG_DOMAIN, prefix=prefix)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "normal", "_by_prefix", "_by_subaddress"), ADDRESSES, ids=_shown)
def test_spellings_of_an_address_normalize_to_one(
    text: str, normal: str, _by_prefix: str, _by_subaddress: str | None
) -> None:
    """Case, white space and punycode do not make another address, and a normal address stays as it is."""
    assert emails.normalize(text) == normal
    assert emails.normalize(normal) == normal


@pytest.mark.parametrize("value", ["Bob", " bob@b ", "", None, 3, ["bob@b.com"]], ids=_shown)
def test_what_is_no_address_is_normal_as_it_is(value: object) -> None:
    """Normalizing returns what is no address unchanged."""
    assert emails.normalize(value) is value


@pytest.mark.parametrize("email_mapping", ["prefix", "subaddress"])
@pytest.mark.parametrize(
    "email",
    [
        "alice@a.com",
        "  Alice@A.COM ",
        "o'brien+x@a.com",
        "al@b\u00fccher.de",
        "al@xn--bcher-kva.de",
        "al@B\u00dcCHER.de",
        "al@stra\u00dfe.de",
        "al@xn--strae-oqa.de",
        "al@strasse.de",
        "al@\u03b2\u03cc\u03bb\u03bf\u03c2.com",
    ],
)
def test_a_program_compares_by_what_check_will_compute(email: str, email_mapping: str) -> None:
    """The unchecked spelling is the internal email, also of a domain that IDNA 2003 and 2008 write differently."""
    expected = emails.internal_email(email, DOMAIN, email_mapping=email_mapping)
    assert emails.spelled(email, DOMAIN, email_mapping=email_mapping) == expected
    assert emails.spelled(email, DOMAIN, prefix=" Team-A ") == emails.internal_email(email, DOMAIN, prefix=" Team-A ")
