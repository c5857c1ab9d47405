"""NumPy: one ``.npz`` with ``features`` (n, d), ``metadata``, and an array for each column.

The columns are ``id``, ``sha256``, ``split``, ``label``, ``group`` and ``view``.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.exports import FeatureTable
from pipeline.cache.exports.npy import begin_array

SUFFIXES = (".npz",)
PACKAGES = ()
EXTRA = ""


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
            kind = np.uint8 if name == "view" else np.str_
            _add(archive, name, np.array(values, kind))
        _add(archive, "metadata", np.array(table.metadata))


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)
