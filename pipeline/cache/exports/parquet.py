"""Apache Parquet: a list column ``features`` (float32) and a column for what is known of each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.cache.exports import COLUMNS, METADATA, FeatureTable

SUFFIXES = (".parquet",)
PACKAGES = ("pyarrow",)
EXTRA = "parquet"


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes a row group a block; what the features are stands in the metadata of the file."""
    import pyarrow as pa
    from pyarrow import parquet

    texts = [(name, pa.uint8() if name == "view" else pa.string()) for name in COLUMNS]
    lists = pa.list_(pa.float32(), table.width)  # few readers know half-precision numbers
    schema = pa.schema([*texts, ("features", lists)], {METADATA: table.metadata})
    with parquet.ParquetWriter(folder / f"{stem}.parquet", schema) as file:
        for block in table.blocks():
            numbers = pa.array(block.features.astype(np.float32).reshape(-1))
            columns = [
                pa.array([value if value != "" else None for value in block.columns[name]], kind)
                for name, kind in texts
            ]
            rows = [*columns, pa.FixedSizeListArray.from_arrays(numbers, table.width)]
            file.write_table(pa.table(rows, schema=schema))
