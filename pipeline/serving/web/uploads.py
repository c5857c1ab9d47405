"""Images that arrive as the body of a request: counted as they come, kept in memory only, for so long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from starlette.requests import Request

from pipeline.images import UNLABELLED, ImageItem, LeftOut
from pipeline.images.decode import DecodeError

MEDIA_TYPE = "application/octet-stream"
"""The only type taken of a single image: a browser asks before it sends this to another site, and is not
answered."""
MAX_BYTES = 20 * 2**20
MAX_FILES = 100
"""Images at a time, of the page, which sends them one by one, and of a batch."""
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
GIVE_WAY = 0.0
"""The end of an upload's time, on the clock of its loop, where it is ended for others: at once."""


class UploadError(Exception):
    """An upload that is refused.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, eq=False)
class Part:
    """One encoded image in memory.

    Attributes:
        data: Its bytes.
        file: What the sender calls it, which can be anything; None where it has no name.
        refusal: Why it is not to be answered for; mostly empty.
    """

    data: bytes | bytearray
    file: str | None = None
    refusal: str = ""


@dataclass(frozen=True, eq=False)
class Upload:
    """Encoded images in memory, as an image source."""

    parts: Sequence[Part]
    uri: str = "upload"
    name: str = "upload"
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def items(self) -> Sequence[ImageItem]:
        """Returns the images in their order."""
        return [ImageItem(id=str(place), label=UNLABELLED) for place in range(len(self.parts))]

    def read(self, item: ImageItem) -> bytes:
        """Returns the bytes of an image.

        Raises:
            DecodeError: It was refused before.
        """
        part = self.parts[int(item.id)]
        if part.refusal:
            raise DecodeError(part.refusal)
        return bytes(part.data)

    def pieces(self, count: int) -> Iterator[Upload]:
        """Divides it into uploads of so many images at most."""
        for start in range(0, len(self.parts), count):
            yield Upload(self.parts[start : start + count])


class Body(Protocol):
    """What takes the body of a request while it arrives."""

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises:
            UploadError: The body is not what it has to be.
        """

    def upload(self) -> Upload:
        """Returns the images of the whole body.

        Raises:
            UploadError: The body is not what it has to be.
        """


@dataclass(frozen=True)
class Kind:
    """What the body of a request is.

    Attributes:
        what: What it is called in a refusal.
        max_bytes: How large it may be.
        body: Takes it.
    """

    what: str
    max_bytes: int
    body: Body


class SingleImage:
    """A body that is one image."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._data += chunk

    def upload(self) -> Upload:
        """Returns the image."""
        return Upload([Part(self._data)])


def single_image(request: Request) -> Kind:
    """Returns what the body of a request is, by its head: one image and nothing else.

    Raises:
        UploadError: It is of another type.
    """
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise UploadError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send an image file as {MEDIA_TYPE}")
    return Kind("the file", MAX_BYTES, SingleImage())


@dataclass
class _Share:
    """What one upload has of the bytes in memory."""

    bytes: int = 0


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
    async def receive(self, request: Request, kind: Kind) -> AsyncIterator[Upload]:
        """Reads the body of a request, and no more of it than is allowed; it is held within the block.

        Args:
            request: Whose body is read.
            kind: What it is.

        Raises:
            UploadError: It is too large, takes too long, or is not what it has to be.
        """
        if int(request.headers.get("content-length", 0)) > kind.max_bytes:
            raise _too_large(kind)
        share = _Share()
        try:
            try:
                async with asyncio.timeout(GRACE_S) as deadline:
                    await self._fill(kind, share, request, deadline)
            except TimeoutError as error:
                gave_way = deadline.when() == GIVE_WAY
                why = "gave way to others: send it again" if gave_way else "took too long to arrive"
                raise UploadError(HTTPStatus.REQUEST_TIMEOUT, f"{kind.what} {why}") from error
            yield kind.body.upload()
        finally:
            self._held -= share.bytes
            self._freed.set()

    async def _fill(self, kind: Kind, share: _Share, request: Request, deadline: asyncio.Timeout) -> None:
        began = asyncio.get_running_loop().time()
        self._arriving[deadline] = None
        try:
            async for chunk in request.stream():
                if share.bytes + len(chunk) > kind.max_bytes:
                    raise _too_large(kind)
                await self._make_room(len(chunk), deadline)
                self._held += len(chunk)
                share.bytes += len(chunk)
                kind.body.write(chunk)
                allowed = min(GRACE_S + share.bytes / MIN_BYTES_A_SECOND, MAX_SECONDS)
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
                slowest.reschedule(GIVE_WAY)
            self._freed.clear()
            await self._freed.wait()


def megabytes(count: int) -> str:
    """Writes a number of bytes as people read it."""
    return f"{count / 2**20:.0f} MB"


def _too_large(kind: Kind) -> UploadError:
    return UploadError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{kind.what} is larger than {megabytes(kind.max_bytes)}"
    )
