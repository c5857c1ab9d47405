"""Reading a file from its beginning to its end in pieces, with gaps."""

from __future__ import annotations

from collections.abc import Callable

_NEAR = 2**20  # a gap that is read sooner than skipped by another request


class Window:
    """Reads a file piece by piece, ahead as far as that spares requests.

    Args:
        read: Returns ``length`` bytes at an offset; fewer only at the end.
        size: Bytes of the file.
        smallest: Bytes of the first piece. A piece that follows closely on the last is twice as large, one
            behind a gap is of this size again.
        largest: Bytes of the largest piece.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, *, smallest: int, largest: int) -> None:
        self.size = size
        self._read = read
        self._smallest, self._length, self._largest = smallest, smallest, largest
        self._start, self._data = 0, b""

    def read(self, offset: int, length: int) -> bytes:
        """Returns the bytes at an offset, fewer at the end of the file."""
        length = max(min(length, self.size - offset), 0)
        at = offset - self._start
        if length and not 0 <= at <= len(self._data) - length:
            near = self._data and 0 <= at - len(self._data) < _NEAR
            self._length = min(self._length * 2, self._largest) if near else self._smallest
            wanted = min(max(self._length, length), self.size - offset)
            self._start, self._data, at = offset, self._read(offset, wanted), 0
        return self._data[at : at + length] if length else b""
