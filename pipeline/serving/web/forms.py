"""Several images in one request: a form of which every part is an image."""

from __future__ import annotations

import logging
from http import HTTPStatus

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
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
MAX_LINE_BYTES = 8 * 2**10
"""Bytes of a line above an image: of its name, mostly."""
MAX_LINES = 8
"""Lines above an image."""

# It warns of every form that is damaged: whoever sends them must not fill the terminal.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def form(request: Request) -> Kind:
    """Returns what the body of a request is, by its head: several images, one a part.

    A browser sends forms to other sites without asking first, unlike a single image; what keeps these out is
    the origin that they carry, see :class:`pipeline.serving.web.guard.Guard`.

    Raises:
        UploadError: It is no form.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type != FORM_TYPE.encode():
        raise UploadError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send images as {FORM_TYPE}, a part for each: curl -F image=@a.jpg -F image=@b.jpg",
        )
    boundary = options.get(b"boundary", b"")
    if not (boundary.isascii() and 0 < len(boundary) <= MAX_BOUNDARY):
        raise UploadError(
            HTTPStatus.BAD_REQUEST, f"the Content-Type names no boundary of 1 to {MAX_BOUNDARY} letters"
        )
    return Kind("the form", MAX_FORM_BYTES, Form(boundary))


class Form:
    """A form while it arrives, by RFC 7578: each image in bytes of its own, and never on the disk."""

    def __init__(self, boundary: bytes) -> None:
        """Begins with nothing.

        Args:
            boundary: What stands between the parts.
        """
        self._parts = _Parts()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._parts.begin,
                "on_header_field": self._parts.take_field,
                "on_header_value": self._parts.take_value,
                "on_header_end": self._parts.end_line,
                "on_headers_finished": self._parts.end_head,
                "on_part_data": self._parts.take_data,
                "on_part_end": self._parts.finish,
                "on_end": self._parts.end,
            },
            max_header_count=MAX_LINES,
            max_header_size=MAX_LINE_BYTES,
        )
        self._last_line = b"\r\n--" + boundary + b"--"
        self._tail = b"\r\n"

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises:
            UploadError: The form is damaged, or has too many images.
        """
        if self._parts.ended:
            self._tail += chunk
        else:
            try:
                self._parser.write(chunk)
            except MultipartParseError as error:
                start = "it does not begin with the boundary of its Content-Type: "
                raise _damaged(f"{'' if self._parts.begun else start}{error}") from error
            self._keep_tail(chunk)
        # The parser passes over what stands there, and images would be lost.
        if self._parts.ended and not b"\r\n".startswith(self._tail):
            raise _damaged("something stands behind its end")

    def upload(self) -> Upload:
        """Returns the images of the whole form.

        Raises:
            UploadError: It is cut off, or has no image.
        """
        if not self._parts.ended:
            raise _damaged("it is cut off, or does not end with its boundary")
        if not self._parts.whole:
            raise UploadError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "there is no image in the form: add a part for each"
            )
        return Upload(self._parts.whole)

    def _keep_tail(self, chunk: bytes) -> None:
        """Keeps what the last line may have begun in, or what stands behind it."""
        if self._parts.ended:
            *_, self._tail = (self._tail + chunk).partition(self._last_line)
        else:
            kept = len(self._last_line) - 1
            self._tail = (self._tail + chunk[-kept:])[-kept:]


class _Parts:
    """What the parser has found. It does not refer to the parser: images go once nobody needs them.

    Attributes:
        whole: The parts that are all there.
        begun: How many have begun.
        ended: Whether the form has come to its end.
    """

    def __init__(self) -> None:
        self.whole: list[Part] = []
        self.begun = 0
        self.ended = False
        self._field, self._value, self._disposition = bytearray(), bytearray(), b""
        self._file: str | None = None
        self._data, self._refusal = bytearray(), ""

    def begin(self) -> None:
        if self.begun == MAX_FILES:
            raise UploadError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the form has more than {MAX_FILES} images: send several forms",
            )
        self.begun += 1
        self._disposition, self._data, self._refusal = b"", bytearray(), ""

    def take_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_line(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def end_head(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data":
            raise _damaged("a part is without Content-Disposition: form-data")
        try:
            named = {key: value.decode() for key, value in options.items()}
        except UnicodeDecodeError as error:
            raise _damaged("the head of a part is no UTF-8") from error
        self._file = named.get(b"filename")

    def take_data(self, data: bytes, start: int, end: int) -> None:
        if self._refusal:
            return
        if len(self._data) + end - start > MAX_BYTES:
            self._refusal = f"the file is larger than {megabytes(MAX_BYTES)}"
            self._data = bytearray()
        else:
            self._data += memoryview(data)[start:end]

    def finish(self) -> None:
        self.whole.append(Part(self._data, self._file, self._refusal))

    def end(self) -> None:
        self.ended = True


def _damaged(why: str) -> UploadError:
    return UploadError(HTTPStatus.BAD_REQUEST, f"the form is damaged: {why}")
