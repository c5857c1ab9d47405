"""Connections of a server: so many at a time, and none that keeps others waiting."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256
"""Connections at a time, where the system allows as many files."""
FEWEST = 8
BURST = 16
"""Connections that are accepted in one step of the event loop; it takes four to end one that is too many."""
OTHER_FILES = 4 * BURST + 64
"""Files that the process may need beside its connections: those that are being ended, and its own."""
HEAD_S = 10.0
"""How long a request's head may take to arrive, and a connection may say nothing."""


def most_connections() -> int:
    """Returns how many connections may be open, so that there are always files left for one more.

    asyncio writes a traceback for each connection that it cannot accept, thousands a second.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else max(FEWEST, min(MOST, files - OTHER_FILES))


class BoundedProtocol(H11Protocol):
    """HTTP on one of a bounded number of connections.

    Where there are too many, the oldest whose request is not all there gives way to a new one: whoever sends
    slowly, or nothing, keeps nobody out.

    Attributes:
        most: Connections at a time.
        open: The open connections, the oldest first.
    """

    most: ClassVar[int]
    open: ClassVar[dict[BoundedProtocol, None]]

    _head_timer: asyncio.TimerHandle | None = None

    @classmethod
    def for_server(cls, most: int) -> type[BoundedProtocol]:
        """Returns the protocol of a server of its own."""
        return type(cls.__name__, (cls,), {"most": most, "open": {}})

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Takes a connection, and ends another one where there are too many."""
        super().connection_made(transport)
        self.open[self] = None
        self._await_head()
        if len(self.open) > self.most:
            next((other for other in self.open if not other._answering), self)._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self.open.pop(self, None)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Passes on what has arrived; once the head is there, its time no longer runs."""
        super().data_received(data)
        if self._in_request:
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        if not self._in_request and not self.transport.is_closing():
            self._await_head()

    @property
    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _answering(self) -> bool:
        """Whether the request is all there."""
        return self._in_request and not self.cycle.more_body

    def _await_head(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(HEAD_S, self._end)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        self.open.pop(self, None)  # at once: others may come before the loop hears of the loss
        self.transport.abort()
