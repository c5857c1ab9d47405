"""NumPy, to be mapped: ``.npy`` with the features (n, d); rows as ``.csv``, what they are as ``.json``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pipeline.cache.exports import COLUMNS, FeatureTable, metadata_json

SUFFIXES = (".npy", ".csv", ".json")
PACKAGES = ()
EXTRA = ""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes the three files."""
    with (
        open(folder / f"{stem}.npy", "wb") as file,
        open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as text,
    ):
        header = np.lib.format.header_data_from_array_1_0(np.empty((0, table.width), table.dtype))
        np.lib.format.write_array_header_2_0(file, header | {"shape": (len(table), table.width)})
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(COLUMNS)
        for block in table.blocks():
            file.write(np.ascontiguousarray(block.features).data)
            rows.writerows(zip(*(block.columns[name] for name in COLUMNS), strict=True))
    (folder / f"{stem}.json").write_text(metadata_json(table), encoding="utf-8")
