"""Text: ``.csv`` with what is known of a row and a column a feature, ``f0`` on; what that is as ``.json``."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline.cache.exchange.given_table import (
    GivenTable,
    named,
    numbered_columns,
    only_features,
    rows_a_block,
    told_beside,
)
from pipeline.cache.exchange.stored_table import FeatureTable
from pipeline.errors import UsageError
from pipeline.progress import progress
from pipeline.wording import counted

SUFFIXES = (".csv", ".json")
PACKAGES = ()
EXTRA = ""


def write(table: FeatureTable, folder: Path, stem: str) -> None:
    """Writes the two files; numbers are the shortest that give the stored ones back."""
    with open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*table.columns, *(f"f{number}" for number in range(table.width))])
        for block in table.blocks():
            for known, features in zip(block.lines, block.features, strict=True):
                rows.writerow([*known, *features.astype(str)])
    (folder / f"{stem}.json").write_text(table.metadata, encoding="utf-8")


def read(file: Path, features: str) -> GivenTable:
    """Reads a table of numbered columns of features; all others are what is known of a row."""
    with closing(records(file)) as lines:
        header = next(lines, [])
        families = numbered_columns(header)
        beginning = only_features(families, features, file, kind="numbered columns (f0, f1, ...)")
        places = families[beginning]
        known = [at for at in range(len(header)) if at not in set(places)]
        columns: list[list[str]] = [[] for _ in known]
        rows = 0
        with progress("reading", file.stat().st_size, "bytes") as advance:
            for line in lines:
                for column, at in zip(columns, known, strict=True):
                    column.append(line[at])
                rows += 1
                advance(sum(map(len, line)) + len(line))
    shape = (len(places),)
    return GivenTable(
        file=file,
        features=named(beginning),
        rows=rows,
        shape=shape,
        dtype=np.dtype(np.float32),
        columns={header[at]: column for at, column in zip(known, columns, strict=True)},
        blocks=lambda: _blocks(file, header, places),
        target=told_beside(file),
    )


def records(file: Path) -> Generator[list[str]]:
    """Yields the header of a table and its lines, each with a text for each column.

    Raises:
        UsageError: It is no text in UTF-8, or a line has other columns than the header.
    """
    with open(file, newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, [])
            yield header
            for line in reader:
                if line and len(line) != len(header):
                    raise UsageError(
                        f"{file}, line {reader.line_num}: {counted(len(line), 'field')} under "
                        f"{counted(len(header), 'column')}"
                    )
                if line:
                    yield line
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(
                f"{file} is no UTF-8 CSV (after line {reader.line_num}: {error}): save it so, or as Parquet"
            ) from error


def _blocks(file: Path, header: Sequence[str], places: Sequence[int]) -> Iterator[np.ndarray]:
    size = rows_a_block([len(places)])
    with closing(records(file)) as lines:
        next(lines)
        start = 0
        while taken := [[line[at] for at in places] for line in itertools.islice(lines, size)]:
            try:
                yield np.array(taken, np.float32)
            except ValueError:
                raise _no_number(file, header, places, taken, start) from None
            start += len(taken)


def _no_number(
    file: Path, header: Sequence[str], places: Sequence[int], taken: Sequence[Sequence[str]], start: int
) -> UsageError:
    for number, line in enumerate(taken):
        for at, text in zip(places, line, strict=True):
            try:
                float(text)
            except ValueError:
                where = f"row {start + number}, column {header[at]!r}"
                return UsageError(f"{file}, {where}: {text[:40]!r} is no number")
    raise AssertionError
