"""Text: ``.csv`` with what is known of a row and a column a feature, ``f0`` on; what that is as ``.json``."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.cache.exports import COLUMNS, FeatureTable

SUFFIXES = (".csv", ".json")
PACKAGES = ()
EXTRA = ""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes the two files; numbers are the shortest that give the stored ones back."""
    with open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*COLUMNS, *(f"f{number}" for number in range(table.width))])
        for block in table.blocks():
            for known, features in zip(block.lines, block.features, strict=True):
                rows.writerow([*known, *features.astype(str)])
    (folder / f"{stem}.json").write_text(table.metadata, encoding="utf-8")
