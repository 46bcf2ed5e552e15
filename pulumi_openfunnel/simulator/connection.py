"""One client's connection: HTTP/1.1 by h11, over asyncio's streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

import h11

from .answers import Answer, refused

_READ = 65536  # bytes at a time


@dataclass(frozen=True)
class Head:
    """A request without its body; ``repr`` does not show the headers, which hold a key.

    Attributes:
        method: such as ``"POST"``.
        path: without a query.
        headers: by their names in lower case.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)


class HungUp(Exception):
    """The client has gone, or what it says is no HTTP."""


class Connection:
    """Reads requests and writes answers, one after the other.

    Args:
        reader: what comes from the client.
        writer: what goes to it.

    Attributes:
        begun: whether any of the present answer went out.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.begun = False
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def head(self) -> Head:
        """The next request.

        Raises:
            HungUp: when there is none.
        """
        event = await self._event()
        if not isinstance(event, h11.Request):
            raise HungUp
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        return Head(event.method.decode(), event.target.decode("latin-1").partition("?")[0], headers)

    async def body(self) -> bytes:
        """The body of the request whose head was read.

        Raises:
            HungUp: when it does not come to its end.
        """
        parts = []
        while isinstance(event := await self._event(), h11.Data):
            parts.append(bytes(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise HungUp
        return b"".join(parts)

    def begin(self, answer: Answer, *, length: int | None) -> None:
        """Send the status and the headers of an answer.

        Args:
            answer: the answer.
            length: of its body, as it is promised; None when nothing is.
        """
        self._send(self._start(answer, length))

    def part(self, data: bytes) -> None:
        """Send some of the body."""
        self._send(h11.Data(data=data))

    def end(self) -> None:
        """Send what ends a body."""
        self._send(h11.EndOfMessage())

    def whole(self, answer: Answer) -> None:
        """Send an answer at once."""
        self._send(self._start(answer, len(answer.body)), h11.Data(data=answer.body), h11.EndOfMessage())

    async def flush(self) -> None:
        """Wait until the client has taken enough of what was sent.

        Raises:
            HungUp: when it has gone.
        """
        try:
            await self._writer.drain()
        except OSError:
            raise HungUp from None

    async def stays(self, seconds: float) -> None:
        """Wait, and look that the client does, too.

        Raises:
            HungUp: when it does not.
        """
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closed(), seconds)
            raise HungUp

    def next(self) -> None:
        """Make ready for another request.

        Raises:
            HungUp: when there can be none.
        """
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            raise HungUp
        self._http.start_next_cycle()
        self.begun = False

    def close(self) -> None:
        """End the connection once all that was sent is on its way."""
        self._writer.close()

    def abort(self) -> None:
        """End the connection, and send nothing more."""
        self._writer.transport.abort()

    async def _event(self) -> object:
        """What the client says next."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._http.receive_data(await self._reader.read(_READ))
        except OSError:
            raise HungUp from None
        except h11.RemoteProtocolError:
            if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                self.whole(refused(400, "the request is no HTTP").answer)
            raise HungUp from None
        return event

    async def _closed(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_READ):
                self._http.receive_data(data)

    def _start(self, answer: Answer, length: int | None) -> h11.Response:
        headers = {"date": formatdate(usegmt=True), "content-type": answer.media_type}
        headers |= {name.lower(): value for name, value in answer.headers.items()}
        headers |= {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        return h11.Response(status_code=answer.status, headers=list(headers.items()))

    def _send(self, *events: h11.Event) -> None:
        """One write, so that an answer is one packet where it fits."""
        self.begun = self.begun or isinstance(events[0], h11.Response)
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
