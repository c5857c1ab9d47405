"""Images that arrive as the body of a request: counted as they come, kept in memory only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from pipeline.images import UNLABELLED, ImageItem

MEDIA_TYPE = "application/octet-stream"
"""The only type taken: a browser asks before it sends this to another site, and is not answered."""
MAX_BYTES = 20 * 2**20
MAX_FILES = 100
"""Images that the page sends at a time; it sends them one by one."""
MAX_TOTAL_BYTES = 500 * 2**20
"""Bytes that the page sends at a time."""
MAX_AT_A_TIME = 8
"""Images in memory at a time, over all pages that are open; others wait to be received."""
MAX_SECONDS = 60.0


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

    def items(self) -> Sequence[ImageItem]:
        """Returns the one image."""
        return [ImageItem(id=self.name, label=UNLABELLED)]

    def read(self, item: ImageItem) -> bytes:
        """Returns its bytes."""
        return self.data


async def receive_upload(request: Request, *, max_bytes: int = MAX_BYTES) -> Upload:
    """Reads the body of a request, and no more of it than is allowed.

    Raises:
        UploadError: It is of another type, too large, or takes too long.
    """
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise UploadError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send an image file as {MEDIA_TYPE}")
    too_large = UploadError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than {max_bytes / 2**20:.0f} MB"
    )
    if int(request.headers.get("content-length", 0)) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(MAX_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError as error:
        raise UploadError(HTTPStatus.REQUEST_TIMEOUT, "the file took too long to arrive") from error
    return Upload(bytes(body))
