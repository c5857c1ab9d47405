"""One header of a tar file: 512 bytes, as POSIX.1-1988 (ustar), GNU tar and old Unix (v7) write it.

``tarfile.TarInfo.frombuf`` reads all 16 fields and takes most of the time that listing a shard does; three
and a checksum are enough.
"""

from __future__ import annotations

from typing import NamedTuple

BLOCK = 512
_EMPTY = bytes(BLOCK)
_GNU = b"ustar  \0"


class Header(NamedTuple):
    """What a header says.

    Attributes:
        name: Path; bytes that are no UTF-8 are surrogates.
        size: Bytes that follow, without padding.
        kind: Type of the member, one byte, see ``tarfile.REGTYPE`` and others.
    """

    name: str
    size: int
    kind: bytes


def read_header(block: bytes) -> Header | None:
    """Reads a header of 512 bytes; None for zeros, which close a tar file.

    Raises:
        ValueError: It is none; the message says why.
    """
    if block == _EMPTY:
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
    return Header(name.decode("utf-8", "surrogateescape"), _number(block[124:136]), block[156:157])


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
