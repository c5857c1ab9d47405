"""NumPy: one ``.npz`` with ``features`` (n, d), ``metadata``, and an array for each column.

The columns are ``id``, ``sha256``, ``split``, ``label``, ``group`` and ``view``, and a
``target:<name>`` for each target.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.cache.exchange.formats.npy import begin_array, is_features
from pipeline.cache.exchange.given_table import (
    GivenTable,
    as_text,
    named,
    only_features,
    rows_a_block,
    told_target,
)
from pipeline.cache.exchange.stored_table import FeatureTable
from pipeline.errors import UsageError
from pipeline.plain_json import MAX_BYTES

SUFFIXES = (".npz",)
PACKAGES = ()
EXTRA = ""
METADATA = "metadata"
"""The array that says what the features are."""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes an archive that ``numpy.load`` opens without pickles; nothing is compressed."""
    columns: dict[str, list[Any]] = defaultdict(list)
    with zipfile.ZipFile(folder / f"{stem}.npz", "w", allowZip64=True) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            begin_array(table, file)
            for block in table.blocks():
                file.write(np.ascontiguousarray(block.features).data)
                for name, values in block.columns.items():
                    columns[name] += values
        for name, values in columns.items():
            kind = np.uint8 if name == "view" else np.float32 if name in table.targets else np.str_
            _add(archive, name, np.array(values, kind))  # None becomes NaN
        _add(archive, METADATA, np.array(table.metadata))


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


class _Member(NamedTuple):
    """An array of an archive, not yet read."""

    dtype: np.dtype
    shape: tuple[int, ...]
    by_columns: bool


def read(file: Path, features: str) -> GivenTable:
    """Reads an archive: one array (n, ...) is the features, and those (n,) are what is known of the rows."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): _member(archive, name) for name in archive.namelist()}
            found = [name for name, one in members.items() if is_features(one.dtype, one.shape)]
            chosen = only_features(found, features, file, kind="array of numbers (n, d)")
            rows = members[chosen].shape[0]
            columns = {
                name: [as_text(value) for value in _array(archive, name).tolist()]
                for name, one in members.items()
                if one.shape == (rows,) and one.dtype.kind != "O"
            }
            target = told_target(_text(archive, members.get(METADATA)))
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise UsageError(f"{file} is no archive of NumPy: {error}") from error
    if members[chosen].by_columns:
        raise UsageError(f"{file}: {chosen} is stored column by column: save it with numpy.ascontiguousarray")
    return GivenTable(
        file=file,
        features=named(chosen),
        rows=rows,
        shape=members[chosen].shape[1:],
        dtype=members[chosen].dtype,
        columns=columns,
        blocks=lambda: _blocks(file, chosen),
        unread=tuple(name for name in members if name not in {chosen, *columns}),
        target=target,
    )


def _member(archive: zipfile.ZipFile, name: str) -> _Member:
    with archive.open(name) as stream:
        return _header(stream)


def _text(archive: zipfile.ZipFile, member: _Member | None) -> str:
    """Returns the metadata of an archive, empty where it has none."""
    if member is None or member.shape or member.dtype.kind != "U" or member.dtype.itemsize > MAX_BYTES:
        return ""
    return str(_array(archive, METADATA))


def _header(stream: Any) -> _Member:
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, by_columns, dtype = read_header(stream)
    return _Member(dtype, shape, by_columns and len(shape) > 1)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _blocks(file: Path, name: str) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as stream:
        member = _header(stream)
        row_bytes = member.dtype.itemsize * int(np.prod(member.shape[1:]))
        size, rows = rows_a_block(member.shape[1:]), member.shape[0]
        for start in range(0, rows, size):
            count = min(size, rows - start)
            data = stream.read(count * row_bytes)
            if len(data) != count * row_bytes:
                raise UsageError(f"{file} is damaged: {name} ends at row {start + len(data) // row_bytes:,}")
            yield np.frombuffer(data, member.dtype).reshape(count, *member.shape[1:])
