"""Laying a feature file out: made whole by the HDF5 library before the first feature exists."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from pipeline.cache.layout import ALIGNMENT, HDF5_LOCK, METADATA_BYTES, STORED_DTYPES, Header
from pipeline.cache.own import cache_of, is_features
from pipeline.cache.room import probe, reserve
from pipeline.cache.seal import SEAL, SEALS, seal, seals
from pipeline.errors import ForeignFileError, PipelineError
from pipeline.files import create, discard, open_file, refuse_foreign, replace
from pipeline.images.rows import DIGEST_BYTES, Rows
from pipeline.spec import SCHEMA


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
    root = cache_of(path)
    try:
        refuse_foreign(path, root=root, known=is_features)
        with os.fdopen(create(draft, root=root), "r+b") as raw:
            probe(raw.fileno(), room)  # HDF5 says many times that the disk is full, and never closes the file
        with HDF5_LOCK, h5py.File(draft, "w", alignment_threshold=1, alignment_interval=ALIGNMENT) as file:
            for name, (shape, dtype) in filled.items():
                _create_contiguous(file, name, shape, np.dtype(dtype))
            for name, values in columns.items():
                _create_contiguous(file, name, values.shape, values.dtype)
                if values.size:
                    file[name][...] = values
            for name, value in attributes.items():
                file.attrs[name] = _fixed_string(value) if isinstance(value, str) else value
            file.attrs[SEALS] = _fixed_string(json.dumps(seals(file), sort_keys=True))
            file.attrs[SEAL] = _fixed_string(seal(file))
        with os.fdopen(open_file(draft, os.O_RDWR, root=root), "r+b") as raw:
            reserve(raw.fileno())
            os.fsync(raw.fileno())
        replace(draft, path, root=root, known=is_features)
    except (OSError, RuntimeError) as error:  # RuntimeError is HDF5's, from the closing of a file
        raise PipelineError(
            f"cannot lay out {path}: {_reason(error)}. Free disk space or choose another place with --cache"
        ) from error
    finally:
        with suppress(OSError, ForeignFileError):
            discard(draft, root=root)


def _reason(error: Exception) -> str:
    """Finds the words of the system in what HDF5 says on many lines."""
    words = re.search(r"error message = '([^']+)'", str(error))
    return getattr(error, "strerror", None) or (words[1] if words else str(error).partition("\n")[0])


def _create_contiguous(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Reserves a dataset's bytes at once and leaves them as the file system gives them (zeros)."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    kind = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), properties)


def _fixed_strings(texts: Sequence[str]) -> np.ndarray:
    """Encodes names as fixed-length bytes; file names need not be valid UTF-8."""
    longest = max((len(text.encode("utf-8", "surrogateescape")) for text in texts), default=1) or 1
    encoded = (text.encode("utf-8", "surrogateescape") for text in texts)
    return np.fromiter(encoded, f"S{longest}", len(texts))


def _fixed_string(text: str) -> np.ndarray:
    """Encodes a text as a scalar of fixed length, whose size is known before it is read."""
    encoded = os.fsencode(text)
    return np.array(encoded, dtype=f"S{len(encoded) or 1}")
