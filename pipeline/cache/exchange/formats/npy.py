"""NumPy, to be mapped: ``.npy`` with the features (n, d); rows as ``.csv``, what they are as ``.json``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO

import numpy as np

from pipeline.cache.exchange.formats.csv import records
from pipeline.cache.exchange.given_table import FLAG, GivenTable, named, rows_a_block, told_beside
from pipeline.cache.exchange.stored_table import FeatureTable
from pipeline.errors import UsageError
from pipeline.wording import counted

SUFFIXES = (".npy", ".csv", ".json")
PACKAGES = ()
EXTRA = ""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes the three files."""
    with (
        open(folder / f"{stem}.npy", "wb") as file,
        open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as text,
    ):
        begin_array(table, file)
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(table.columns)
        for block in table.blocks():
            file.write(np.ascontiguousarray(block.features).data)
            rows.writerows(block.lines)
    (folder / f"{stem}.json").write_text(table.metadata, encoding="utf-8")


def begin_array(table: FeatureTable, file: IO[bytes]) -> None:
    """Writes what stands before the features of a table in a file of NumPy."""
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, table.width), table.dtype))
    np.lib.format.write_array_header_2_0(file, header | {"shape": (len(table), table.width)})


def read(file: Path, features: str) -> GivenTable:
    """Reads an array (n, ...), and what is known of its rows from a ``.csv`` of the same name, if there."""
    if features:
        raise UsageError(f"{FLAG} {features} means nothing for {file}, which is one array")
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UsageError(f"{file} is no array of NumPy: {error}") from error
    if not is_features(array.dtype, array.shape):
        raise UsageError(f"{file} is {array.dtype}{array.shape}: features are numbers (n, d)")
    return GivenTable(
        file=file,
        features=named(""),
        rows=len(array),
        shape=array.shape[1:],
        dtype=array.dtype,
        columns=_columns(file.with_suffix(".csv"), len(array)),
        blocks=lambda: _blocks(array),
        target=told_beside(file),
    )


def is_features(dtype: np.dtype, shape: Sequence[int]) -> bool:
    """Tells whether an array can be features: a row of numbers an image."""
    return dtype.kind in "fiu" and len(shape) > 1 and 0 not in shape


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    size = rows_a_block(array.shape[1:])
    for start in range(0, len(array), size):
        yield array[start : start + size]


def _columns(file: Path, rows: int) -> dict[str, Sequence[str]]:
    if not file.exists():
        return {}
    with closing(records(file)) as lines:
        header = next(lines, [])
        known = list(lines)
    if len(known) != rows:
        raise UsageError(
            f"{file} has {counted(len(known), 'row')}, and {file.with_suffix('.npy').name} has {rows:,}"
        )
    return {name: [line[at] for line in known] for at, name in enumerate(header)}
