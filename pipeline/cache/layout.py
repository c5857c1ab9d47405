"""The fixed-layout HDF5 file: laid out whole, filled by plain writes, sealed, checked at every opening.

The HDF5 library writes the file once, before the first feature exists: contiguous, early-allocated
datasets and all of the metadata. From then on rows arrive by ``pwrite`` at known offsets, so no kill can
corrupt the metadata. ``docs/cache-format.md`` describes the format for other readers.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.cache.parts import Part
from pipeline.cache.room import probe, reserve
from pipeline.cache.structure import Column, is_folder_name, refuse_foreign_parts, refuse_other_columns
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.images import UNLABELLED
from pipeline.images.rows import DIGEST_BYTES, Rows
from pipeline.spec import SCHEMA, FeatureSpec

ALIGNMENT = 4096
METADATA_BYTES = 64 * ALIGNMENT
"""What HDF5 writes beside the data, and what is lost to the alignment, at most."""
FILLED = ("features", "crc32", "done")
STORED_DTYPES = {"float16": "<f2", "float32": "<f4", "uint8": "|u1"}
COLUMNS = {
    "features": Column(tuple(STORED_DTYPES.values()), (None, ...)),
    "crc32": Column(("<u4",)),
    "done": Column(("|u1",)),
    "labels": Column(("<i4",)),
    "digests": Column(("|u1",), (None, DIGEST_BYTES)),
    "views": Column(("|u1",)),
    **{name: Column(("S",)) for name in ("ids", "groups", "classes", "skipped")},
}
"""The datasets of a feature file, and nothing else is in one."""

ATTRIBUTES = frozenset(
    ("schema", "spec", "dataset", "source", "split", "weights_label", "software", "created_at", "seal")
)
PART_ATTRIBUTES = frozenset(("part", "parts", "whole"))
"""Of a file that holds one part of several; no other has them."""

_TROUBLE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What h5py, NumPy and JSON raise at files that are damaged or made to do harm."""

_HDF5 = threading.Lock()  # the HDF5 library is not thread-safe: one call at a time in a process


@dataclass(frozen=True)
class Header:
    """All that a feature file says of itself besides its columns.

    Attributes:
        spec: What determined the numbers.
        dataset: Name of the data set.
        source: Canonical address of the image source.
        split: ``train``, ``val`` or ``test``.
        classes: Class names, indexed by label.
        weights_label: What the user asked for: ``imagenet``, ``random`` or a file name.
        skipped: Images left out on request, each with its reason.
        software: Versions of what computed the rows.
        number: Its place among the files of the split, from 0.
        count: How many files the split has.
        whole: Fingerprint of the whole split, the same in all its files; empty in the only one.
    """

    spec: FeatureSpec
    dataset: str
    source: str
    split: str
    classes: tuple[str, ...]
    weights_label: str = ""
    skipped: tuple[dict[str, str], ...] = ()
    software: dict[str, str] | None = None
    number: int = 0
    count: int = 1
    whole: str = ""

    @property
    def part(self) -> Part:
        """Which of the split's files it is."""
        return Part(self.split, self.number, self.count)


@dataclass(frozen=True, eq=False)
class Layout:
    """An opened file: header, rows, and where each column lies.

    Attributes:
        path: The file.
        header: What it says of itself.
        rows: Its N rows.
        crc32: uint32 (N,), checksums of the features as stored now.
        done: bool (N,), which rows are on disk.
        offsets: Byte offset of each dataset in ``FILLED``.
        feature_shape: Shape of one row.
        dtype: Stored dtype of the features.
    """

    path: Path
    header: Header
    rows: Rows
    crc32: np.ndarray
    done: np.ndarray
    offsets: dict[str, int]
    feature_shape: tuple[int, ...]
    dtype: np.dtype

    @cached_property
    def features(self) -> np.ndarray:
        """The features, mapped read-only: (N, *feature_shape) in the stored dtype, nothing is copied."""
        shape = (len(self.rows), *self.feature_shape)
        if len(self.rows) == 0:
            return np.empty(shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", offset=self.offsets["features"], shape=shape)


def row_bytes(feature_shape: Sequence[int], store: str) -> int:
    """Returns the bytes that one row of features takes on disk."""
    return int(np.prod(feature_shape, dtype=np.int64)) * np.dtype(STORED_DTYPES[store]).itemsize


def lay_out(path: Path, header: Header, rows: Rows, feature_shape: tuple[int, ...]) -> None:
    """Creates a file with all rows known, none filled, and its disk space reserved.

    The file appears under ``path`` only when it is complete.

    Raises:
        PipelineError: The disk is full or cannot be written; nothing is left behind.
    """
    n = len(rows)
    columns = {
        "labels": rows.labels.astype("<i4"),
        "digests": np.ascontiguousarray(rows.digests, np.uint8).reshape(n, DIGEST_BYTES),
        "views": rows.views.astype(np.uint8),
        "ids": _fixed_strings(rows.ids),
        "groups": _fixed_strings(rows.groups),
        "classes": _fixed_strings(header.classes),
        "skipped": _fixed_strings([json.dumps(item, sort_keys=True) for item in header.skipped]),
    }
    filled = {
        "features": ((n, *feature_shape), STORED_DTYPES[header.spec.store]),
        "crc32": ((n,), "<u4"),
        "done": ((n,), "|u1"),
    }
    attributes = {
        "schema": SCHEMA,
        "spec": header.spec.to_json(),
        "dataset": header.dataset,
        "source": header.source,
        "split": header.split,
        "weights_label": header.weights_label,
        "software": json.dumps(header.software or {}, sort_keys=True),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if header.count > 1:
        attributes |= {"part": header.number, "parts": header.count, "whole": header.whole}
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    room = sum(
        int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize for shape, kind in filled.values()
    )
    room += sum(values.nbytes for values in columns.values()) + METADATA_BYTES
    try:
        probe(draft, room)  # where HDF5 finds the disk full, it says so many times, and never closes the file
        with _HDF5, h5py.File(draft, "w", alignment_threshold=1, alignment_interval=ALIGNMENT) as file:
            for name, (shape, dtype) in filled.items():
                _create_contiguous(file, name, shape, np.dtype(dtype))
            for name, values in columns.items():
                _create_contiguous(file, name, values.shape, values.dtype)
                if values.size:
                    file[name][...] = values
            for name, value in attributes.items():
                file.attrs[name] = _fixed_string(value) if isinstance(value, str) else value
            file.attrs["seal"] = _fixed_string(_seal(file))
        with open(draft, "r+b") as raw:
            reserve(raw.fileno())
            os.fsync(raw.fileno())
        os.replace(draft, path)
    except (OSError, RuntimeError) as error:  # RuntimeError is HDF5's, from the closing of a file
        draft.unlink(missing_ok=True)
        raise PipelineError(
            f"cannot lay out {path}: {_reason(error)}. Free disk space or choose another place with --cache"
        ) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    """Finds the words of the system in what HDF5 says on many lines."""
    words = re.search(r"error message = '([^']+)'", str(error))
    return getattr(error, "strerror", None) or (words[1] if words else str(error).partition("\n")[0])


def open_layout(path: Path) -> Layout:
    """Reads a feature file's header and rows and checks that nothing in them was altered.

    The file can come from anywhere: it is refused, before a value is read, where it points to another file
    or declares more than its bytes hold.

    Raises:
        UsageError: There is no such file.
        CacheMismatchError: The file is foreign, damaged, or of another schema version.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: run `pipeline extract` to make it")
    try:
        with _HDF5, h5py.File(path, "r") as file:
            return _read_layout(path, file)
    except CacheMismatchError:
        raise
    except _TROUBLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CacheMismatchError(
            f"{path} is no readable feature file ({reason}). Remove it and run `pipeline extract` again"
        ) from error


def _read_layout(path: Path, file: h5py.File) -> Layout:
    refuse_foreign_parts(path, file)
    schema = _plain(file.attrs.get("schema"))
    if schema != SCHEMA:
        raise CacheMismatchError(
            f"{path} has schema {str(schema)[:40]}, this version reads {SCHEMA}: "
            "run `pipeline extract` to make it anew"
        )
    refuse_other_columns(
        file, COLUMNS, ATTRIBUTES | (PART_ATTRIBUTES if PART_ATTRIBUTES & set(file.attrs) else frozenset())
    )
    attributes = _attributes(file)
    if attributes.get("seal") != _seal(file):
        raise CacheMismatchError(
            f"{path} is damaged: its header or row list was altered since it was written. "
            "Remove it and run `pipeline extract` again"
        )
    spec = FeatureSpec.from_json(attributes["spec"])
    features = file["features"]
    n = features.shape[0]
    ids = _strings(file["ids"])
    rows = Rows(
        ids=ids,
        labels=file["labels"][()],
        digests=file["digests"][()],
        views=file["views"][()],
        groups=_strings(file["groups"]),
    )
    sizes = {name: (file[name].id.get_offset(), file[name].id.get_storage_size()) for name in FILLED}
    lengths = {
        len(ids),
        len(rows.labels),
        len(rows.digests),
        len(rows.views),
        len(rows.groups),
        *(file[k].shape[0] for k in FILLED),
    }
    whole = all(
        offset is not None and offset + size <= path.stat().st_size for offset, size in sizes.values()
    )
    if lengths != {n} or features.dtype != np.dtype(STORED_DTYPES[spec.store]) or not (whole or n == 0):
        raise CacheMismatchError(
            f"{path} is truncated or damaged. Remove it and run `pipeline extract` again"
        )
    header = Header(
        spec=spec,
        dataset=attributes["dataset"],
        source=attributes["source"],
        split=attributes["split"],
        classes=tuple(_strings(file["classes"])),
        weights_label=attributes["weights_label"],
        skipped=tuple(json.loads(item) for item in _strings(file["skipped"])),
        software=json.loads(attributes["software"]),
        number=int(attributes.get("part", 0)),
        count=int(attributes.get("parts", 1)),
        whole=str(attributes.get("whole", "")),
    )
    _refuse_impossible(header, rows, tuple(features.shape[1:]))
    return Layout(
        path=path,
        header=header,
        rows=rows,
        crc32=file["crc32"][()],
        done=file["done"][()] == 1,
        offsets={name: offset or 0 for name, (offset, _) in sizes.items()},
        feature_shape=tuple(features.shape[1:]),
        dtype=features.dtype,
    )


def _refuse_impossible(header: Header, rows: Rows, feature_shape: tuple[int, ...]) -> None:
    """Refuses what no run writes, sealed or not: whoever writes a file can seal it, too."""
    if not is_folder_name(header.dataset) or Part.of(header.part.name) != header.part:
        names = f"{header.dataset[:40]!r}, {header.part.name[:40]!r}"
        raise ValueError(f"{names} are no names of data set and split")
    if not feature_shape or 0 in feature_shape:
        raise ValueError(f"{feature_shape} is no shape of features")
    if len(rows) and not (rows.labels.min() >= UNLABELLED and rows.labels.max() < len(header.classes)):
        raise ValueError("a label stands for no class")
    for item in header.skipped:
        if not isinstance(item, dict) or not all(isinstance(text, str) for text in item.values()):
            raise ValueError("the list of skipped images is none")


def _create_contiguous(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Reserves a dataset's bytes at once and leaves them as the file system gives them (zeros)."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    kind = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), properties)


def _seal(file: h5py.File) -> str:
    """SHA-256 over all that never changes after the layout: attributes, row list, shapes and places."""
    places = {
        name: [list(file[name].shape), file[name].dtype.str, file[name].id.get_offset()]
        for name in sorted(file)
    }
    attributes = {name: value for name, value in _attributes(file).items() if name != "seal"}
    whole = hashlib.sha256(json.dumps([attributes, places], sort_keys=True).encode())
    for name in sorted(set(places) - set(FILLED)):
        whole.update(file[name][()].tobytes())
    return whole.hexdigest()


def _attributes(file: h5py.File) -> dict[str, Any]:
    return {name: _plain(file.attrs[name]) for name in file.attrs}


def _plain(value: Any) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else getattr(value, "item", lambda: value)()


def _fixed_strings(texts: Sequence[str]) -> np.ndarray:
    """Encodes names as fixed-length bytes; file names need not be valid UTF-8."""
    encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
    return np.array(encoded, dtype=f"S{max((len(text) for text in encoded), default=1) or 1}")


def _fixed_string(text: str) -> np.ndarray:
    """Encodes a text as a scalar of fixed length, whose size is known before it is read."""
    encoded = os.fsencode(text)
    return np.array(encoded, dtype=f"S{len(encoded) or 1}")


def _strings(dataset: h5py.Dataset) -> list[str]:
    return [text.decode("utf-8", "surrogateescape") for text in dataset[()].tolist()]
