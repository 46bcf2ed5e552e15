"""Connections that an application may close without an answer, which ASGI has no word for."""

from __future__ import annotations

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "simulator.transport"


class Connection(H11Protocol):
    """Hands its transport to the application, in the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = self.app_state | {_TRANSPORT: transport}

    def shutdown(self) -> None:
        """End at once when the server stops: an answer may be held back, or have no end."""
        super().shutdown()
        self.transport.abort()


def transport_of(scope: Scope) -> asyncio.Transport:
    """The transport that a request came over."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    return transport
