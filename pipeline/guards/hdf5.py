"""What an HDF5 file is made of, checked before any of its values is read: a file can come from anywhere.

HDF5 lets a file point to other files (external links, external storage, virtual datasets), declare arrays of
any size, and compress a terabyte of zeros into a kilobyte. None of that is needed here, so all of it is
refused, by the declarations alone.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

_PREFIX = 16
_HEAP, _HEAP_OBJECT = b"GCOL\1", 16
_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_VARIABLE = 9
_MAX_CHUNK, _MAX_CHUNKS = 1 << 20, 100

MAX_OBJECTS = 10_000
"""Most groups and datasets of a file; a saved network has a few hundred."""

MAX_ATTRIBUTES = 100
"""Most attributes of a group or dataset."""

MAX_ATTRIBUTE_BYTES = 65_536
"""Largest attribute; HDF5 keeps no larger one in a header."""

_PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)
_IN_PLACE = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)


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


@dataclass(frozen=True)
class Column:
    """What a feature file declares under one name.

    Attributes:
        kinds: Data types it may have, as NumPy writes them; ``S`` is fixed-length text of any length.
        shape: Length of each axis; None = any. A last ``...`` stands for any further axes.
    """

    kinds: tuple[str, ...]
    shape: tuple[object, ...] = (None,)

    def fits(self, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """Tells whether a dataset is of this kind."""
        lengths = self.shape
        if lengths[-1:] == (...,):
            lengths = lengths[:-1] + (None,) * (len(shape) - len(lengths) + 1)
        same = len(lengths) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(lengths, shape, strict=True)
        )
        return same and (dtype.str in self.kinds or dtype.kind in self.kinds)


def refuse_foreign_parts(path: Path, file: h5py.File) -> None:
    """Refuses a file that points out of itself, or declares more than its bytes hold.

    Nothing is read but declarations, and no other file is opened: a virtual dataset looks for its sources
    as soon as it is asked for its shape.

    Args:
        path: The file.
        file: The same, open.

    Raises:
        ValueError: The text names the object and what is wrong with it.
    """
    with open(path, "rb") as raw:
        _refuse_objects(file, raw, path.stat().st_size)


def refuse_other_columns(file: h5py.File, columns: Mapping[str, Column], attributes: frozenset[str]) -> None:
    """Refuses a flat file that declares anything but the given columns and attributes.

    Raises:
        ValueError: The text names what is missing, unknown or of another kind.
    """
    for kind, found, wanted in (
        ("dataset", set(file), set(columns)),
        ("attribute", set(file.attrs), attributes),
    ):
        if found != wanted:
            odd = sorted(found ^ wanted)[0]
            raise ValueError(f"it has {'an unknown' if odd in found else 'no'} {kind} {odd[:40]!r}")
    for name, column in columns.items():
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset) or not column.fits(dataset.shape, dataset.dtype):
            raise ValueError(f"{name} is not the column that it should be")


def _refuse_objects(file: h5py.File, raw: BinaryIO, size: int) -> None:
    """Walks through all groups and datasets, each of which may have one name only."""
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.h5g.GroupID]] = [("/", file.id)]
    _refuse_attributes("/", file.id, raw)
    while waiting:
        name, group = waiting.pop()
        for link in _links(name, group):
            child, found = name + link.decode("utf-8", "replace"), h5py.h5o.get_info(group, link)
            if found.addr in seen or len(seen) == MAX_OBJECTS:
                raise ValueError(f"{child[:60]!r} is a second name, or one of more than {MAX_OBJECTS:,}")
            seen.add(found.addr)
            opened = h5py.h5o.open(group, link)
            _refuse_attributes(child, opened, raw)
            if found.type == h5py.h5o.TYPE_GROUP:
                waiting.append((f"{child}/", opened))
            elif found.type == h5py.h5o.TYPE_DATASET:
                _refuse_dataset(child, opened, size)
            else:
                raise ValueError(f"{child[:60]!r} is neither a group nor a dataset")


def _links(name: str, group: h5py.h5g.GroupID) -> Iterator[bytes]:
    """Yields the names in a group; links of any kind but the plain one are refused."""
    if group.get_num_objs() > MAX_OBJECTS:
        raise ValueError(f"it holds more than {MAX_OBJECTS:,} objects")
    for link in group:
        if group.links.get_info(link).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{name + link.decode('utf-8', 'replace')[:60]!r} is a link to another place")
        yield link


def _refuse_dataset(name: str, dataset: h5py.h5d.DatasetID, size: int) -> None:
    properties = dataset.get_create_plist()
    layout = properties.get_layout()
    if layout == h5py.h5d.VIRTUAL or properties.get_external_count():
        raise ValueError(f"the bytes of {name} stand in other files")
    if layout not in _IN_PLACE or properties.get_nfilters():
        raise ValueError(f"{name} is compressed or in chunks")
    kind = dataset.get_type()
    if kind.get_class() not in _PLAIN or _is_variable(kind):
        raise ValueError(f"{name} holds neither numbers nor text of fixed length")
    promised = math.prod(dataset.get_space().get_simple_extent_dims()) * kind.get_size()
    offset = dataset.get_offset() or 0
    if promised > dataset.get_storage_size() or offset + promised > size:
        raise ValueError(f"{name} is truncated: it promises {promised:,} bytes, which the file does not hold")


def _refuse_attributes(name: str, owner: h5py.h5g.GroupID | h5py.h5d.DatasetID, raw: BinaryIO) -> None:
    count = h5py.h5a.get_num_attrs(owner)
    if count > MAX_ATTRIBUTES:
        raise ValueError(f"{name} has {count:,} attributes")
    lengths: dict[bytes, int] | None = None
    for i in range(count):
        attribute = h5py.h5a.open(owner, index=i)
        kind, shape = attribute.get_type(), attribute.shape
        if shape is None or kind.get_class() not in _PLAIN:
            raise ValueError(f"an attribute of {name} holds neither numbers nor text")
        promised = math.prod(shape) * kind.get_size()
        if _is_variable(kind):
            # Many texts may all point to the same bytes, and so be longer than the file.
            lengths = text_lengths(raw, h5py.h5o.get_info(owner).addr) if lengths is None else lengths
            promised = lengths.get(attribute.name, math.inf) if shape == () else math.inf
        if promised > MAX_ATTRIBUTE_BYTES:
            raise ValueError(f"an attribute of {name} promises {promised:,} bytes")


def _is_variable(kind: h5py.h5t.TypeID) -> bool:
    return isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
