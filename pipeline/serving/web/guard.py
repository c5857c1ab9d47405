"""What every request must satisfy and every response carries, whatever the page does."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.progress import say
from pipeline.serving.web.replies import refusal

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

TOLD = 200
"""Letters that are told of a failure; a request may have put thousands into it."""


class Guard:
    """Lets through what a page of this server asks for, and nothing that another site makes a browser send.

    A site can let its own name lead to this machine (DNS rebinding), so a name that is not ours is refused;
    an address of numbers cannot be led anywhere. A request that another site started carries its origin.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        """Wraps an application.

        Args:
            app: What answers.
            names: Names of this server beside ``localhost`` and addresses.
        """
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request or passes it on, and adds headers to the response."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        app = self._app
        if not self._is_ours(host):
            app = refusal(
                "this server does not go by that name: use its address, or start it with --hostname NAME",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        elif origin is not None and _netloc(origin) != host:
            app = refusal("requests of other sites are refused", HTTPStatus.FORBIDDEN)
        try:
            await app(scope, receive, send_guarded)
        except Exception as error:
            if started:
                raise
            # In one line: whoever makes a request fail must not fill the disk with tracebacks.
            say(f"pipeline: unexpected {type(error).__name__}: {str(error)[:TOLD]}")
            failed = refusal("the server failed; see its terminal", HTTPStatus.INTERNAL_SERVER_ERROR)
            await failed(scope, receive, send_guarded)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
