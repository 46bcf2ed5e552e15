"""Documents as objects: S3, Google Cloud Storage, Azure Blob Storage."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ...places import BucketPlace
from ..patience import patiently
from ..store import Conflict, Document
from .opening import Opened, opened
from .problems import Action, is_conflict, is_not_there, no_versions, unusable
from .reports import Report, read

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutResult, UpdateVersion

PATIENCE = 20.0  # seconds
AT_ONCE = 32
"""Requests of one :meth:`ObjectStore.get_many` that are under way at once."""

_NONCE = 33  # bytes: 32 hexadecimal digits and a line break

T = TypeVar("T")


class ObjectStore:
    """The documents under a prefix of a bucket.

    An S3 ETag is a digest of the content, which comes back with the same content. So each object starts with a line
    that no other has.

    Args:
        place: the bucket.
        patience: seconds after which a call that fails is not tried again; see :class:`LedgerUnusable`'s ``transient``.

    Raises:
        LedgerUnusable: when an extra is missing, or the settings that the environment holds cannot be used.
    """

    def __init__(self, place: BucketPlace, *, patience: float = PATIENCE) -> None:
        self.place = str(place)
        self._patience = patience
        self._opened: Opened = opened(place, patience)
        self._readers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ledger")

    def hastier(self, patience: float) -> ObjectStore:
        """The same store for calls that had better fail than be tried for long; it is closed with this one."""
        twin = copy.copy(self)
        twin._patience = patience  # noqa: SLF001 - of this class
        return twin

    def get(self, name: str) -> Document | None:
        """See :class:`Store`."""
        return self._patiently(Action.READ, lambda: self._read(name), is_not_there)

    def get_many(self, names: Sequence[str]) -> dict[str, Document]:
        """See :class:`Store`."""
        asked = {name: self._readers.submit(self.get, name) for name in names}
        try:
            documents = {name: future.result() for name, future in asked.items()}
        finally:
            for future in asked.values():
                future.cancel()  # where one failed, the others need not be tried
        return {name: document for name, document in documents.items() if document is not None}

    def put_new(self, name: str, body: bytes) -> str:
        """See :class:`Store`."""
        version = self._patiently(Action.CREATE, lambda: self._write(name, body, None), is_conflict)
        return _or_conflict(version, name)

    def put_over(self, name: str, body: bytes, version: str) -> str:
        """See :class:`Store`."""
        known = self._opened.condition(version)
        following = self._patiently(Action.REPLACE, lambda: self._write(name, body, known), is_conflict)
        return _or_conflict(following, name)

    def remove(self, name: str) -> None:
        """See :class:`Store`."""
        self._patiently(Action.REMOVE, lambda: self._opened.store.delete(name), _is_gone)

    def names(self, prefix: str) -> list[str]:
        """See :class:`Store`."""
        return self._patiently(Action.LIST, lambda: self._list(prefix), lambda _: False) or []

    def close(self) -> None:
        """See :class:`Store`."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _read(self, name: str) -> Document:
        found = self._opened.store.get(name)
        body = bytes(found.bytes())
        return Document(body[_NONCE:], self._version(found.meta), found.meta["last_modified"].timestamp())

    def _write(self, name: str, body: bytes, known: UpdateVersion | None) -> str:
        content = f"{uuid.uuid4().hex}\n".encode() + body
        result = self._opened.store.put(name, content, mode="create" if known is None else known, use_multipart=False)
        return self._version(result)

    def _version(self, said: ObjectMeta | PutResult) -> str:
        version = self._opened.version(said)
        if not version:
            raise no_versions(self.place)
        return version

    def _list(self, prefix: str) -> list[str]:
        """Object stores list by whole parts of a name."""
        folder = prefix.rpartition("/")[0]
        pages = self._opened.store.list(folder or None, chunk_size=1000)
        return [found["path"] for page in pages for found in page if found["path"].startswith(prefix)]

    def _patiently(self, action: Action, attempt: Callable[[], T], expected: Callable[[Report], bool]) -> T | None:
        """What the attempt gives; None when it fails as expected."""
        return patiently(self._patience, lambda: self._once(action, attempt, expected))

    def _once(self, action: Action, attempt: Callable[[], T], expected: Callable[[Report], bool]) -> T | None:
        try:
            return attempt()
        except self._opened.errors as error:
            report = read(error)
        if expected(report):
            return None
        raise unusable(self.place, self._opened.vendor, action, report)


def _is_gone(report: Report) -> bool:
    """Azure's answer to a batch of removals has no code."""
    return is_not_there(report) or (report.status == 404 and not report.code)


def _or_conflict(version: str | None, name: str) -> str:
    if version is None:
        raise Conflict(name)
    return version
