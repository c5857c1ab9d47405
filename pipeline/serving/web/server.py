"""Listening on an address until Ctrl-C."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from pipeline.errors import UsageError
from pipeline.serving.web.connections import BURST, BoundedProtocol, most_connections

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PATIENCE_S = 1
"""How long answers that are under way may take at the end."""


def listen(host: str, port: int) -> socket.socket:
    """Takes a port; whoever connects waits until the server runs.

    Raises:
        UsageError: The host is unknown, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
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
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    uvicorn.Server(config).run(sockets=[listening])
