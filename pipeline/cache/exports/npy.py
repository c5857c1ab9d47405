"""NumPy, to be mapped: ``.npy`` with the features (n, d); rows as ``.csv``, what they are as ``.json``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import IO

import numpy as np

from pipeline.cache.exports import COLUMNS, FeatureTable

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
        rows.writerow(COLUMNS)
        for block in table.blocks():
            file.write(np.ascontiguousarray(block.features).data)
            rows.writerows(block.lines)
    (folder / f"{stem}.json").write_text(table.metadata, encoding="utf-8")


def begin_array(table: FeatureTable, file: IO[bytes]) -> None:
    """Writes what stands before the features of a table in a file of NumPy."""
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, table.width), table.dtype))
    np.lib.format.write_array_header_2_0(file, header | {"shape": (len(table), table.width)})
