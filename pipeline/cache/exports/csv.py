"""Text: ``.csv`` with what is known of a row and a column a feature, ``f0`` on; what that is as ``.json``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pipeline.cache.exports import COLUMNS, FeatureTable, metadata_json

SUFFIXES = (".csv", ".json")
PACKAGES = ()
EXTRA = ""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes the two files; numbers are the shortest that give the stored ones back."""
    with open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*COLUMNS, *(f"f{number}" for number in range(table.width))])
        for block in table.blocks():
            known = zip(*(block.columns[name] for name in COLUMNS), strict=True)
            for beginning, features in zip(known, block.features, strict=True):
                rows.writerow([*beginning, *_shortest(features)])
    (folder / f"{stem}.json").write_text(metadata_json(table), encoding="utf-8")


def _shortest(features: np.ndarray) -> list[str]:
    return list(features.astype(str))
