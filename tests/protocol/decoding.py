"""The product's JSON, remembered: the same few documents are read and written hundreds of thousands of times."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from unittest.mock import patch

from pulumi_openfunnel.ledger import archive, codec, documents
from pulumi_openfunnel.ledger.documents import Stored

D = TypeVar("D", bound=Stored)

_decode: Any = functools.lru_cache(maxsize=None)(codec.decode)
_user_name = functools.lru_cache(maxsize=None)(documents.user_name)
_encode = functools.lru_cache(maxsize=None)(codec.encode)


def decoded(kind: type[D], name: str, body: bytes) -> D:
    """A document."""
    return cast("D", _decode(kind, name, body, "the ledger"))


def encoded(document: Stored) -> bytes:
    """Its body."""
    return _encode(document)


@contextmanager
def remembered() -> Iterator[None]:
    """The product reads and writes through what is remembered."""
    with (
        patch.object(archive, "decode", _decode),
        patch.object(archive, "encode", _encode),
        patch.object(documents, "user_name", _user_name),
    ):
        yield
