"""How long the texts of an object's attributes are, read from the bytes of an HDF5 file.

HDF5 1.14.6 takes the length of a text of variable length from the file and allocates it before it looks
whether so many bytes are there: one flipped bit costs four gigabytes. Another one, in the size of a neighbour
on the heap where such texts stand, makes it loop for ever. So both are looked up first. Files written by this
version have texts of fixed length, which know neither. The layout is that of "HDF5 File Format Specification
Version 3.0", sections III.E, IV.A.1.a and IV.A.2.m.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_PREFIX = 16
_HEAP, _HEAP_OBJECT = b"GCOL\1", 16
_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_VARIABLE = 9
_MAX_CHUNK, _MAX_CHUNKS = 1 << 20, 100


def text_lengths(file: BinaryIO, address: int) -> dict[bytes, int]:
    """Reads the lengths of the texts of variable length, and walks through the heaps they stand on.

    Args:
        file: The HDF5 file, opened as bytes.
        address: Where the object's header begins.

    Returns:
        Bytes of each text by the name of its attribute; none of an object whose header has another version
        than the first, which this package never writes.

    Raises:
        ValueError: The header or a heap is damaged.
    """
    lengths, heaps = {}, set()
    for kind, message in _messages(file, address):
        if kind == _ATTRIBUTE and (found := _variable_text(message)):
            name, lengths[name], heap = found
            heaps.add(heap)
    for heap in heaps - {0}:
        _walk_heap(file, heap)
    return lengths


def _messages(file: BinaryIO, address: int) -> Iterator[tuple[int, bytes]]:
    """Yields type and content of each message of a version 1 object header, in all its chunks."""
    prefix = _read(file, address, _PREFIX)
    if prefix[0] != 1:
        return
    (size,) = struct.unpack_from("<L", prefix, 8)
    chunks = [(address + _PREFIX, size)]
    for number, (start, length) in enumerate(chunks):
        if length > _MAX_CHUNK or number >= _MAX_CHUNKS:
            raise ValueError("an object header is damaged")
        chunk, position = _read(file, start, length), 0
        while position + 8 <= len(chunk):
            kind, size = struct.unpack_from("<HH", chunk, position)
            message = chunk[position + 8 : position + 8 + size]
            if kind == _CONTINUATION and len(message) >= 16:
                chunks.append(struct.unpack_from("<QQ", message))
            yield kind, message
            position += 8 + size


def _variable_text(message: bytes) -> tuple[bytes, int, int] | None:
    """Returns an attribute's name, the length it claims, and its heap; None where its length is fixed."""
    try:
        version, _, *sizes = struct.unpack_from("<BBHHH", message)
        padded = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
        name_at = 9 if version == 3 else 8
        type_at = name_at + padded[0]
        if message[type_at] & 0x0F != _VARIABLE:
            return None
        length, heap = struct.unpack_from("<LQ", message, type_at + padded[1] + padded[2])
    except (struct.error, IndexError) as error:
        raise ValueError("an attribute is damaged") from error
    return message[name_at : name_at + sizes[0]].split(b"\0")[0], length, heap


def _walk_heap(file: BinaryIO, address: int) -> None:
    """Makes sure that the objects of a heap follow each other and end where it ends."""
    header = _read(file, address, _PREFIX)
    (size,) = struct.unpack_from("<Q", header, 8)
    heap = _read(file, address, min(size, _MAX_CHUNK))
    if not header.startswith(_HEAP) or len(heap) != size:
        raise ValueError("a heap of texts is damaged")
    position = _PREFIX
    while position + _HEAP_OBJECT <= size:
        index, _, _, length = struct.unpack_from("<HHLQ", heap, position)
        # The free space, number 0, counts its own header in and is not padded.
        step = length if index == 0 else _HEAP_OBJECT + -(-length // 8) * 8
        if not _HEAP_OBJECT <= step <= size - position:
            raise ValueError("a heap of texts is damaged")
        position += step


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(min(start, 2**62))
    return file.read(length).ljust(_PREFIX, b"\0")
