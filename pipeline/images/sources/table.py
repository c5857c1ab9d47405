"""A table of images: ``.csv``, ``.tsv`` or ``.jsonl`` with columns ``path, label[, split][, group]``."""

from __future__ import annotations

import csv
import math
import os
import reprlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeGuard

from pipeline.errors import UsageError, reason_of
from pipeline.images.source_options import TABLE_OPTIONS, SourceOptions
from pipeline.images.sources._files import existing
from pipeline.images.sources._table_paths import NamedFiles
from pipeline.images.sources._table_records import ImageTable, Place
from pipeline.images.sources._table_text import (
    MEANINGS,
    SEPARATORS,
    TableColumns,
    is_cut_off,
    not_utf_8,
    open_table,
    separator,
)
from pipeline.images.sources._words import printable
from pipeline.images.targets import NUMBER
from pipeline.plain_json import parse_json

ADDRESS = "a table .csv, .tsv or .jsonl (columns path,label[,split][,group])"

OPTIONS = TABLE_OPTIONS

_SEPARATED = {".csv": ",", ".tsv": "\t"}
_OBJECTS = (".jsonl", ".ndjson")
_SUFFIXES = (*_SEPARATED, *_OBJECTS)
_EXACT = 2**53  # from here on floats leave out whole numbers


class _Line(NamedTuple):
    """A record: where it stands, its columns, and a text for each.

    Attributes:
        number: Its line.
        columns: The meaning of its columns.
        values: The texts.
        several: Its labels, where it lists them.
        short: Whether fields were left out at the end.
    """

    number: int
    columns: TableColumns
    values: list[str]
    several: list[str] | None = None
    short: bool = False


def claims(uri: str) -> bool:
    """Tells whether the address is a table by its suffix."""
    return uri.lower().endswith(_SUFFIXES) and not os.path.isdir(uri)


def open_uri(uri: str, options: SourceOptions) -> NamedFiles:
    """Reads a table of images.

    Paths are relative to the table's folder, or absolute. An empty label means unlabelled, an empty split
    that the image's content decides, an empty group none. Text is UTF-8, or UTF-16 and UTF-32 with a byte
    order mark; columns are separated by commas, semicolons, tabs or bars.

    Raises:
        UsageError: The table is missing, empty, malformed, or can be understood in two ways; the message
            gives the line.
    """
    file = existing(uri)
    table = ImageTable(
        file.parent, options, where=lambda line: Place(str(file), f"line {line}"), subject=str(file)
    )
    remarks: list[str] = []
    try:
        kind = file.suffix.lower()
        lines = _csv(file, table, options, remarks) if kind in _SEPARATED else _jsonl(file, table, options)
        with closing(lines):  # a refused line must not leave the file open
            for line in lines:
                table.add(*line[:3], several=line.several, short=line.short)
    except UsageError:
        table.finish()  # what it refuses stands further up
        raise
    except UnicodeDecodeError as error:
        table.finish()
        raise not_utf_8(file, error) from error
    except OSError as error:
        table.finish()
        raise UsageError(f"cannot read {file}: {reason_of(error)}; check its permissions") from error
    listed, classes = table.finish()
    if not len(listed):
        raise UsageError(f"{file} lists no images: expected columns {', '.join(MEANINGS)} and a row an image")
    if table.told_last:
        raise table.told_last
    remarks += table.remarks(classes, cut_off=lambda: is_cut_off(file))
    return NamedFiles(
        uri=str(file),
        name=printable(file.stem),
        classes=classes,
        notes=tuple(remarks),
        listed=listed,
        folder=file.parent,
        targets=table.targets,
    )


def _csv(
    file: Path, table: ImageTable, options: SourceOptions, remarks: list[str]
) -> Generator[_Line, None, None]:
    """Yields the records of a table with a header and a separator, which is remarked where it is unusual."""
    usual = _SEPARATED[file.suffix.lower()]
    with open_table(file) as text:
        try:
            mark, before = separator(text, usual=usual, options=options)
        except csv.Error as error:
            raise table.error(1, str(error)) from error
        reader = csv.reader(text, delimiter=mark, skipinitialspace=True, strict=True)
        try:
            for _ in range(before):
                next(reader)
            names = tuple(next(reader, []))
            columns = table.columns(reader.line_num or 1, names)
            if mark != usual:
                remarks.append(f"columns are separated by {SEPARATORS.get(mark, repr(mark))}")
            for fields in reader:
                if len(fields) > len(names):
                    raise table.error(
                        reader.line_num,
                        f"{len(fields)} fields under {len(names)} columns: "
                        f"a field that holds {mark!r} stands in double quotes",
                    )
                if any(fields):
                    missing = len(names) - len(fields)
                    yield _Line(reader.line_num, columns, fields + [""] * missing, short=missing > 0)
        except csv.Error as error:
            raise table.error(reader.line_num, str(error)) from error


def _jsonl(file: Path, table: ImageTable, options: SourceOptions) -> Generator[_Line, None, None]:
    """Yields the records of a file with one JSON object a line."""
    with open_table(file) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                record = parse_json(line, nan=True, pairs=_Members)
            except ValueError as error:
                raise table.error(number, f"not JSON ({error}); expected one object a line") from error
            if not isinstance(record, _Members):
                raise table.error(number, "not a JSON object: expected one object a line")
            names = tuple(name for name, _ in record)
            columns = table.columns(number, names)
            numbers = {
                *columns.targets,
                *([columns.position.get("label")] if options.target == NUMBER else []),
            }
            several = None
            values = [_plain(value) for _, value in record]
            for at in {*columns.position.values(), *columns.targets}:
                name, value = record[at]
                if at == columns.position.get("label") and _is_list(value):
                    several = [_text(table, number, f"each {name}", one) for one in value]
                else:
                    values[at] = _text(table, number, name, value, is_number=at in numbers)
            yield _Line(number, columns, values, several)


class _Members(list[tuple[str, object]]):
    """The members of a JSON object in order, with names that stand there twice."""


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and not isinstance(value, _Members)


def _text(table: ImageTable, line: int, name: str, value: object, *, is_number: bool = False) -> str:
    """Returns a JSON value as text: null is empty, whole numbers and truth values are names."""
    if isinstance(value, float) and is_number:
        return repr(value)
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and _is_name(value)):
        return _plain(value)
    expected = "a number" if is_number else "text or a whole number"
    raise table.error(line, f"{name} must be {expected}, not {reprlib.repr(value)}")


def _is_name(number: float) -> bool:
    return math.isnan(number) or (number.is_integer() and abs(number) < _EXACT)


def _plain(value: object) -> str:
    """Returns a JSON value as a CSV file would have it; other values than those of names are of no use."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and _is_name(value):
        return "NaN" if math.isnan(value) else str(int(value))
    return str(value) if isinstance(value, int) else ""
