"""A proxy that holds back each call to a store, as a network does: ``python -m benchmarks.delay PORT SECONDS``.

It is a process of its own and knows nothing of what passes, so that it costs what is measured as little as possible.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator


class _Pipe(asyncio.Protocol):
    """One direction of a connection.

    Args:
        delay: seconds that each piece takes.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._held: list[bytes] = []
        self.other: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def join(self, other: asyncio.Transport) -> None:
        """Pass on to this; what came before as well."""
        self.other = other
        for data in self._held:
            self._pass(data)
        self._held.clear()

    def data_received(self, data: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._pass, data)
        else:
            self._pass(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.other is not None:
            self.other.close()

    def _pass(self, data: bytes) -> None:
        if self.other is None:
            self._held.append(data)
        elif not self.other.is_closing():
            self.other.write(data)


class _Client(_Pipe):
    """From a client to the server, which is connected to as the client comes.

    Args:
        port: the server's.
        delay: seconds that each piece takes.
    """

    def __init__(self, port: int, delay: float) -> None:
        super().__init__(delay)
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._joining = asyncio.get_running_loop().create_task(self._join(transport))

    async def _join(self, client: asyncio.BaseTransport) -> None:
        server, back = await asyncio.get_running_loop().create_connection(lambda: _Pipe(0.0), "127.0.0.1", self._port)
        if not isinstance(client, asyncio.Transport):
            raise TypeError("a TCP connection can be written to")
        back.join(client)
        self.join(server)


@contextlib.contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """A port where a server's calls take so much longer, until the context ends."""
    command = [sys.executable, "-m", "benchmarks.delay", str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            yield int(proxy.stdout.readline() if proxy.stdout else 0)
        finally:
            proxy.terminate()


async def _serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Client(port, seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
