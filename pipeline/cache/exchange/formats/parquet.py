"""Apache Parquet: a list column ``features`` (float32) and a column for what is known of each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.exchange.given_table import (
    GivenTable,
    as_text,
    named,
    numbered_columns,
    only_features,
    rows_a_block,
    told_target,
)
from pipeline.cache.exchange.stored_table import COLUMNS, FeatureTable
from pipeline.errors import UsageError

SUFFIXES = (".parquet",)
PACKAGES = ("pyarrow",)
EXTRA = "parquet"
METADATA = "two_stage_pipeline"
"""The key under which it stands in the metadata of a file what the features are."""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes a row group a block; what the features are stands in the metadata of the file."""
    import pyarrow as pa
    from pyarrow import parquet

    texts = [(name, pa.uint8() if name == "view" else pa.string()) for name in COLUMNS]
    texts += [(name, pa.float32()) for name in table.targets]
    lists = pa.list_(pa.float32(), table.width)  # few readers know half-precision numbers
    schema = pa.schema([*texts, ("features", lists)], {METADATA: table.metadata})
    # Features are noise to a compressor, and no two of their numbers are alike.
    packed = {"compression": "none", "use_dictionary": ["split", "label", "group"]}
    with parquet.ParquetWriter(folder / f"{stem}.parquet", schema, **packed) as file:
        for block in table.blocks():
            numbers = pa.array(block.features.astype(np.float32).reshape(-1))
            columns = [
                pa.array([value if value != "" else None for value in block.columns[name]], kind)
                for name, kind in texts
            ]
            rows = [*columns, pa.FixedSizeListArray.from_arrays(numbers, table.width)]
            file.write_table(pa.table(rows, schema=schema))


def read(file: Path, features: str) -> GivenTable:
    """Reads a table: a column of lists of numbers is the features, or numbered columns are."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
            lists = [field.name for field in schema if _is_list(field.type)]
            families = numbered_columns([field.name if _is_number(field.type) else "" for field in schema])
            chosen = only_features([*lists, *families], features, file, kind="column of lists of numbers")
            names = [chosen] if chosen in lists else [schema.names[at] for at in families[chosen]]
            known = [field.name for field in schema if field.name not in names and _is_plain(field.type)]
            table = opened.read(columns=known)
            columns = {name: [as_text(value) for value in table[name].to_pylist()] for name in known}
            first = next(_blocks(file, names, rows_a_block([1024])), np.zeros((0, 0), np.float32))
    except pa.ArrowInvalid as error:
        raise UsageError(f"{file} is no Parquet file, or is damaged: {error}") from error
    shape = first.shape[1:]
    return GivenTable(
        file=file,
        features=named(chosen),
        rows=rows,
        shape=shape,
        dtype=first.dtype,
        columns=columns,
        blocks=lambda: _blocks(file, names, rows_a_block(shape)),
        unread=tuple(name for name in schema.names if name not in {*names, *known}),
        target=told_target((schema.metadata or {}).get(METADATA.encode())),
    )


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_one(kind) for is_one in lists) and _is_number(kind.value_type)


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary, pa.types.is_boolean)
    return _is_number(kind) or any(is_one(kind) for is_one in texts)


def _blocks(file: Path, names: Sequence[str], size: int) -> Iterator[np.ndarray]:
    """Yields (b, d) of a column of lists, or of d columns.

    Raises:
        UsageError: A row has no features, or more or fewer than the first.
    """
    from pyarrow import compute, parquet

    start, width = 0, -1
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=size, columns=list(names)):
            columns = [batch.column(name) for name in names]
            if any(column.null_count for column in columns):
                raise UsageError(
                    f"{file}: {names[0]!r} is empty in a row from {start:,} on: leave such rows out"
                )
            if _is_list(columns[0].type):
                numbers = columns[0].flatten()
                lengths = np.asarray(compute.list_value_length(columns[0]))
                width = int(lengths[0]) if width < 0 else width
                if (other := np.flatnonzero(lengths != width)).size:
                    raise UsageError(
                        f"{file}, row {start + other[0]:,}: {names[0]!r} has {lengths[other[0]]:,} numbers, "
                        f"others have {width:,}"
                    )
                if numbers.null_count:
                    raise UsageError(f"{file}: {names[0]!r} lacks a number in a row from {start:,} on")
                block = numbers.to_numpy(zero_copy_only=False).reshape(len(batch), width)
            else:
                block = np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)
            yield block
            start += len(batch)
