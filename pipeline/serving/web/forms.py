"""Several images in one request: a form of which every part is an image."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from functools import partial
from http import HTTPStatus

from starlette.requests import Request

from pipeline.serving.web.uploads import (
    MAX_BYTES,
    MAX_FILES,
    MAX_HELD_BYTES,
    Kind,
    Part,
    Upload,
    UploadError,
    megabytes,
)

FORM_TYPE = "multipart/form-data"
MAX_FORM_BYTES = MAX_HELD_BYTES // 2
"""Half of what may be in memory: a batch leaves room for others."""
MAX_BOUNDARY = 70
"""Letters of a boundary, as RFC 2046 has it."""
MAX_HEAD_BYTES = 8 * 2**10
"""Bytes of what stands above an image: its name, mostly."""
_LINE = b"\r\n"


def form(request: Request) -> Kind:
    """Returns what the body of a request is, by its head: several images, one a part.

    A browser sends forms to other sites without asking first, unlike a single image; what keeps these out is
    the origin that they carry, see :class:`pipeline.serving.web.guard.Guard`.

    Raises:
        UploadError: It is no form.
    """
    head = Message()
    head["Content-Type"] = request.headers.get("content-type", "")
    boundary = head.get_boundary() or ""
    if head.get_content_type() != FORM_TYPE:
        raise UploadError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send images as {FORM_TYPE}, a part for each: curl -F image=@a.jpg -F image=@b.jpg",
        )
    if not (boundary.isascii() and 0 < len(boundary) <= MAX_BOUNDARY):
        raise UploadError(
            HTTPStatus.BAD_REQUEST, f"the Content-Type names no boundary of 1 to {MAX_BOUNDARY} letters"
        )
    return Kind("the form", MAX_FORM_BYTES, partial(images_of, boundary=boundary.encode()))


def images_of(body: bytearray, *, boundary: bytes) -> Upload:
    """Takes a form apart, by RFC 7578; the images are not copied.

    Python's own parser of messages would make text of them, and more of it than there is room for.

    Args:
        body: The whole form.
        boundary: What stands between its parts.

    Raises:
        UploadError: It is damaged or cut off, or has no image, or too many.
    """
    parts: list[Part] = []
    for head, content in _split(body, b"--" + boundary):
        if len(parts) == MAX_FILES:
            raise UploadError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the form has more than {MAX_FILES} images: send several forms",
            )
        refusal = f"the file is larger than {megabytes(MAX_BYTES)}" if len(content) > MAX_BYTES else ""
        parts.append(Part(content, _name_in(head), refusal))
    if not parts:
        raise UploadError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "there is no image in the form: add a part for each"
        )
    return Upload(parts)


def _split(body: bytearray, line: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yields head and content of each part; a line stands above each, and with two dashes below the last."""
    if not body.startswith(line):
        raise _damaged("it does not begin with its boundary")
    view, place = memoryview(body), len(line)
    while not body.startswith(b"--", place):
        if not body.startswith(_LINE, place):
            raise _damaged("a boundary does not end its line")
        head_end = body.find(_LINE * 2, place, place + MAX_HEAD_BYTES)
        if head_end < 0:
            raise _damaged("a part has no head, or a very long one")
        begin = head_end + 2 * len(_LINE)
        end = body.find(_LINE + line, begin)
        if end < 0:
            raise _damaged("it is cut off")
        yield bytes(view[place:head_end]), view[begin:end]
        place = end + len(_LINE) + len(line)
    if body[place + len(b"--") :] not in (b"", _LINE):
        raise _damaged("something stands behind its end")


def _name_in(head: bytes) -> str | None:
    try:
        fields = HeaderParser().parsestr(head.decode().lstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise _damaged("the head of a part is no UTF-8") from error
    if fields.get_content_disposition() != "form-data":
        raise _damaged("a part is without Content-Disposition: form-data")
    return fields.get_filename()


def _damaged(why: str) -> UploadError:
    return UploadError(HTTPStatus.BAD_REQUEST, f"the form is damaged: {why}")
