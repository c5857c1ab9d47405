"""Images that arrive as the body of a request: counted as they come, kept in memory only, for so long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from pipeline.images import UNLABELLED, ImageItem, LeftOut

MEDIA_TYPE = "application/octet-stream"
"""The only type taken: a browser asks before it sends this to another site, and is not answered."""
MAX_BYTES = 20 * 2**20
MAX_FILES = 100
"""Images that the page sends at a time; it sends them one by one."""
MAX_TOTAL_BYTES = 500 * 2**20
"""Bytes that the page sends at a time."""
MAX_AT_A_TIME = 8
"""Images that are whole at a time and wait for an answer, over all pages that are open."""
MAX_HELD_BYTES = MAX_AT_A_TIME * MAX_BYTES
"""Bytes of images in memory at a time, whole ones and those that are still arriving."""
MAX_SECONDS = 60.0
GRACE_S = 10.0
"""How long the first bytes may take."""
MIN_BYTES_A_SECOND = 16 * 2**10
"""How fast the others must come, in the mean."""


class UploadError(Exception):
    """An upload that is refused.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, eq=False)
class Upload:
    """One encoded image in memory, as an image source."""

    data: bytes
    uri: str = "upload"
    name: str = "upload"
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def items(self) -> Sequence[ImageItem]:
        """Returns the one image."""
        return [ImageItem(id=self.name, label=UNLABELLED)]

    def read(self, item: ImageItem) -> bytes:
        """Returns its bytes."""
        return self.data


class HeldUploads:
    """The uploads in memory: no more bytes than allowed, and the one that began first gives way to others.

    An upload that still arrives when many others have is the slowest. Use from one event loop.
    """

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self._most = most
        self._held = 0
        self._arriving: dict[asyncio.Timeout, None] = {}
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def receive(self, request: Request, *, max_bytes: int = MAX_BYTES) -> AsyncIterator[Upload]:
        """Reads the body of a request, and no more of it than is allowed; it is held within the block.

        Raises:
            UploadError: It is of another type, too large, or takes too long.
        """
        _refuse_by_head(request, max_bytes)
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(GRACE_S) as deadline:
                    await self._fill(body, request, deadline, max_bytes)
            except TimeoutError as error:
                raise UploadError(HTTPStatus.REQUEST_TIMEOUT, "the file took too long to arrive") from error
            yield Upload(bytes(body))
        finally:
            self._held -= len(body)
            self._freed.set()

    async def _fill(
        self, body: bytearray, request: Request, deadline: asyncio.Timeout, max_bytes: int
    ) -> None:
        began = asyncio.get_running_loop().time()
        self._arriving[deadline] = None
        try:
            async for chunk in request.stream():
                if len(body) + len(chunk) > max_bytes:
                    raise _too_large(max_bytes)
                await self._make_room(len(chunk), deadline)
                body += chunk
                self._held += len(chunk)
                allowed = min(GRACE_S + len(body) / MIN_BYTES_A_SECOND, MAX_SECONDS)
                if deadline in self._arriving:
                    deadline.reschedule(began + allowed)
        finally:
            self._arriving.pop(deadline, None)

    async def _make_room(self, count: int, own: asyncio.Timeout) -> None:
        """Waits until so many more bytes may be held; the oldest of the others that still arrive is ended."""
        while self._held + count > self._most:
            slowest = next((other for other in self._arriving if other is not own), None)
            if slowest is not None:
                del self._arriving[slowest]
                slowest.reschedule(0)
            self._freed.clear()
            await self._freed.wait()


def _refuse_by_head(request: Request, max_bytes: int) -> None:
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise UploadError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send an image file as {MEDIA_TYPE}")
    if int(request.headers.get("content-length", 0)) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> UploadError:
    return UploadError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than {max_bytes / 2**20:.0f} MB"
    )
