"""Listening on an address until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.errors import UsageError, reason_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp


MOST = 256
"""Connections at a time, where the system allows as many files."""
FEWEST = 8
BURST = 16
"""Connections that are accepted in one step of the event loop; it takes four to end one that is too many."""
OTHER_FILES = 4 * BURST + 64
"""Files that the process may need beside its connections: those that are being ended, and its own."""
HEAD_S = 10.0
"""How long a request's head may take to arrive, and a connection may say nothing."""

PATIENCE_S = 1
"""How long answers that are under way may take at the end."""


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

    # As uvicorn has it, which knows that it is given no other kind of transport.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
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


def listen(host: str, port: int) -> socket.socket:
    """Takes a port; whoever connects waits until the server runs.

    Raises:
        UsageError: The host is unknown, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = reason_of(error)
        raise UsageError(
            f"cannot listen on port {port} of {host!r}: {reason}. "
            "Choose another with --port (0 = any free one) or --host"
        ) from error


def address_of(listening: socket.socket) -> str:
    """Returns the address to open in a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve_until_interrupted(app: ASGIApp, listening: socket.socket) -> None:
    """Answers requests until Ctrl-C or SIGTERM.

    Raises:
        KeyboardInterrupt: It has come to its end: uvicorn passes the signal on.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedProtocol.for_server(most_connections()),
        backlog=BURST,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="error",  # it warns of whatever is no HTTP, a line each
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    uvicorn.Server(config).run(sockets=[listening])
