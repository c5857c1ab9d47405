"""The members of a tar file, by its headers alone: the images in it are passed over, not read.

``tarfile`` is not used, because it calls itself for every extended header and reads as much as a header asks
for, which a hostile file turns into a crash, and because it does not tell a file that is cut off from a whole
one.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.sources._words import on_one_line

BLOCK = 512
_NEAR = 2**20  # a gap that is read sooner than skipped by another request
_NO_HEADER = bytes(BLOCK)
_GNU = b"ustar  \0"

_LONGEST = 2**20  # bytes of an extended header: a name, or a table of them
_TAIL = 2**16  # bytes behind the end that are looked at: tar pads to 10,240
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EMPTY = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}


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


class TarHeader(NamedTuple):
    """What a header says.

    Attributes:
        name: Path; bytes that are no UTF-8 are surrogates.
        size: Bytes that follow, without padding.
        kind: Type of the member, one byte, see ``tarfile.REGTYPE`` and others.
    """

    name: str
    size: int
    kind: bytes


def read_header(block: bytes) -> TarHeader | None:
    """Reads a header of 512 bytes; None for zeros, which close a tar file.

    Raises:
        ValueError: It is none; the message says why.
    """
    if block == _NO_HEADER:
        return None
    # The checksum counts its own field as blanks; some old programs took the bytes for signed.
    total = sum(block) - sum(block[148:156]) + 8 * 32
    stated = _number(block[148:156])
    if stated != total:
        high = sum(byte >> 7 for byte in block[:148] + block[156:])
        if stated != total - 256 * high:
            raise ValueError("no header, or a damaged one")
    name = block[:100].partition(b"\0")[0]
    if block[257:262] == b"ustar" and block[257:265] != _GNU:
        name = block[345:500].partition(b"\0")[0].rstrip(b"/") + b"/" + name if block[345] else name
    return TarHeader(name.decode("utf-8", "surrogateescape"), _number(block[124:136]), block[156:157])


def _number(field: bytes) -> int:
    """Reads a number: octal digits between blanks, or bytes behind a first with its highest bit set (GNU)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if not digits:
        return 0
    if not digits.isdigit():
        raise ValueError("a number in a header is damaged")
    return int(digits, 8)


class TarMember(NamedTuple):
    """A file in a tar file.

    Attributes:
        name: As it stands in the header; bytes that are no UTF-8 are surrogates.
        offset: Where its bytes begin.
        size: Their number.
        regular: False for links, devices, pipes and sparse files, which are not read.
    """

    name: str
    offset: int
    size: int
    regular: bool = True


def walk_tar(window: Window, shown: str) -> Iterator[TarMember]:
    """Yields the members of a tar file in order; folders are left out.

    Memory and time are bounded by the number of headers, whatever they promise.

    Args:
        window: The file.
        shown: Its address, for messages.

    Raises:
        UsageError: It is cut off, damaged, compressed or no tar file; the message gives the offset.
        OSError: It cannot be read.
    """
    offset = 0
    long_name: str | None = None
    extended: dict[str, str] = {}
    while True:
        header = _header(window, offset, shown)
        if header is None:
            return
        data = offset + BLOCK
        if header.kind in (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            content = _extension(window, offset, header.size, shown)
            if header.kind in _PAX:
                extended = _pax_records(content, offset, shown)
            elif header.kind == tarfile.GNUTYPE_LONGNAME:
                long_name = content.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            offset = data + _padded(header.size)
            continue
        sparse = header.kind == tarfile.GNUTYPE_SPARSE or any(
            key.startswith("GNU.sparse.") for key in extended
        )
        if header.kind == tarfile.GNUTYPE_SPARSE:
            data = _after_sparse_map(window, offset, shown)
        name = extended.get("GNU.sparse.name") or extended.get("path") or long_name or header.name
        size = _stated_size(extended, header.size, offset, shown)
        end = data + (0 if header.kind in _EMPTY else size)
        if end > window.size:
            raise _cut(shown, offset, f"{on_one_line(name)!r} promises {size:,} bytes", window.size)
        if header.kind != tarfile.DIRTYPE and not (header.kind == tarfile.AREGTYPE and name.endswith("/")):
            yield TarMember(name, data, size, regular=header.kind in _REGULAR and not sparse)
        offset, long_name, extended = data + _padded(end - data), None, {}


def _header(window: Window, offset: int, shown: str) -> TarHeader | None:
    """Reads a header; None at the mark that closes a tar file."""
    block = window.read(offset, BLOCK)
    if len(block) < BLOCK:
        raise _cut(shown, offset, "a tar file ends with an empty block", window.size)
    try:
        header = read_header(block)
    except ValueError as error:
        for mark, kind in _COMPRESSED.items():
            if offset == 0 and block.startswith(mark):
                raise UsageError(
                    f"{shown} is compressed with {kind}: unpack it first, then give it"
                ) from error
        raise _broken(shown, offset, str(error)) from error
    if header is None and window.read(offset, _TAIL).strip(b"\0"):
        raise _broken(shown, offset, "more follows behind its end, as when tar files are joined with cat")
    return header


def _extension(window: Window, offset: int, size: int, shown: str) -> bytes:
    if size > _LONGEST:
        raise _broken(shown, offset, f"an extended header of {size:,} bytes, more than {_LONGEST:,}")
    content = window.read(offset + BLOCK, size)
    if len(content) < size:
        raise _cut(shown, offset, f"an extended header promises {size:,} bytes", window.size)
    return content


def _pax_records(content: bytes, offset: int, shown: str) -> dict[str, str]:
    """Reads what is needed of a pax header: lines ``length key=value``, POSIX.1-2001."""
    records: dict[str, str] = {}
    at = 0
    while at < len(content) and content[at]:
        digits = content[at : at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        key, equals, value = content[at + len(digits) + 1 : at + length].partition(b"=")
        if not equals or at + length > len(content):
            raise _broken(shown, offset, "a damaged pax header")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse."):
            records[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        at += length
    return records


def _stated_size(extended: dict[str, str], size: int, offset: int, shown: str) -> int:
    text = extended.get("size")
    if text is None:
        return size
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _broken(shown, offset, "a damaged size in a pax header")
    return int(text)


def _after_sparse_map(window: Window, offset: int, shown: str) -> int:
    """Returns where the data of an old GNU sparse file begin: behind as many blocks as its map fills."""
    more = window.read(offset, BLOCK)[482]
    while more:
        offset += BLOCK
        block = window.read(offset, BLOCK)
        if len(block) < BLOCK:
            raise _cut(shown, offset, "a map of a sparse file goes on", window.size)
        more = block[504]
    return offset + BLOCK


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _cut(shown: str, offset: int, trouble: str, size: int) -> UsageError:
    return UsageError(
        f"{shown} is cut off: at byte {offset:,} {trouble}, but it ends at byte {size:,}; copy it again, or "
        "leave it out"
    )


def _broken(shown: str, offset: int, trouble: str) -> UsageError:
    return UsageError(f"{shown} is no sound tar file at byte {offset:,}: {trouble}; make or copy it again")
