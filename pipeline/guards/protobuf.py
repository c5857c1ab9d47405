"""Protocol buffers read field by field, by their declarations alone: nothing that they promise is allocated.

Source: "Encoding", Protocol Buffers documentation.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class Span(NamedTuple):
    """Where bytes stand in a file: a text, a list of numbers or a message."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


class Reader:
    """Reads messages of a mapped file, and counts what it has read.

    Attributes:
        data: The file.
    """

    def __init__(self, data: mmap.mmap | bytes, *, most_fields: int) -> None:
        """Reads at most so many fields, whatever the file holds."""
        self.data = data
        self._left = most_fields

    @property
    def whole(self) -> Span:
        """The message that the file is."""
        return Span(0, len(self.data))

    def fields(self, message: Span) -> Iterator[tuple[int, int | Span]]:
        """Yields the fields of a message: their number, and a whole number or where their bytes stand.

        Raises:
            ValueError: The message is damaged, or there is more than is ever read.
        """
        position = message.start
        while position < message.end:
            self._left -= 1
            if self._left < 0:
                raise ValueError("it is made of more parts than any network")
            key, position = self._varint(position, message.end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise ValueError(f"it is damaged at byte {position:,}: there is no field 0")
            if kind == VARINT:
                value, position = self._varint(position, message.end)
                yield number, value
                continue
            if kind == LENGTH:
                length, position = self._varint(position, message.end)
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                length = 8 if kind == EIGHT_BYTES else 4
            else:
                raise ValueError(f"it is damaged at byte {position:,}: no field is of kind {kind}")
            if length > message.end - position:
                left = message.end - position
                raise ValueError(f"it is cut off: {length:,} bytes are promised where {left:,} are left")
            yield number, Span(position, position + length)
            position += length

    def text(self, value: int | Span, *, most: int = 1000) -> str:
        """Returns the text of a field.

        Raises:
            ValueError: It is no text, or a longer one than any name.
        """
        if isinstance(value, int) or len(value) > most:
            raise ValueError("a name in it is none")
        return self.data[value.start : value.end].decode("utf-8")

    def numbers(self, value: int | Span, *, most: int = 64) -> list[int]:
        """Returns the whole numbers of a repeated field, of which each occurrence holds one or several.

        Raises:
            ValueError: There are more than any shape has, or they are damaged.
        """
        if isinstance(value, int):
            return [value]
        found: list[int] = []
        position = value.start
        while position < value.end and len(found) <= most:
            number, position = self._varint(position, value.end)
            found.append(number)
        if len(found) > most:
            raise ValueError("a shape in it is none")
        return found

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        for byte in self.data[position : min(end, position + _MOST_VARINT_BYTES)]:
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
        raise ValueError(f"it is damaged at byte {position:,}: a number has no end")
