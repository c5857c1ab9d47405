"""A table of images: ``.csv`` or ``.jsonl`` with columns ``path, label[, split][, group]``."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import FileSource, existing
from pipeline.images.sources._records import COLUMNS, REQUIRED, Record, Table, table_error
from pipeline.images.sources._words import printable, some

ADDRESS = "a table .csv or .jsonl (columns path,label[,split][,group])"

OPTIONS: tuple[str, ...] = ()

_SUFFIXES = (".csv", ".jsonl")


def claims(uri: str) -> bool:
    """Tells whether the address is a table by its suffix."""
    return uri.lower().endswith(_SUFFIXES) and not os.path.isdir(uri)


def open_uri(uri: str, options: SourceOptions) -> FileSource:
    """Reads a table of images.

    Paths are relative to the table's folder, or absolute. An empty label means unlabelled, an empty split
    that the image's content decides, an empty group none. Text is UTF-8, with or without a byte order mark.

    Raises:
        UsageError: The table is missing, empty or malformed; the message gives the line.
    """
    file = existing(uri)
    table = Table(file)
    try:
        for line, record in (_csv if file.suffix.lower() == ".csv" else _jsonl)(file):
            table.add(line, record)
    except UsageError:
        table.finish()  # what it refuses stands further up
        raise
    except UnicodeDecodeError as error:
        table.finish()
        raise UsageError(f"{file} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        table.finish()
        raise UsageError(f"cannot read {file}: {error.strerror}; check its permissions") from error
    listed, classes = table.finish()
    if not len(listed):
        raise UsageError(f"{file} lists no images: expected columns {', '.join(COLUMNS)} and a row an image")
    if table.unknown_split:
        raise table.unknown_split
    return FileSource(
        uri=str(file),
        name=printable(file.stem),
        classes=classes,
        notes=(f"ignored columns: {some(sorted(table.ignored))}",) if table.ignored else (),
        listed=listed,
    )


def _csv(file: Path) -> Iterator[tuple[int, Record]]:
    """Yields (line, record) of a comma-separated table with a header."""
    with open(file, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, skipinitialspace=True, strict=True)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            _require(file, 1, header)
            for fields in reader:
                if len(fields) > len(header):
                    raise table_error(
                        file, reader.line_num, f"{len(fields)} fields under {len(header)} columns"
                    )
                if any(fields):
                    padded = fields + [""] * (len(header) - len(fields))
                    yield reader.line_num, {k: v.strip() for k, v in zip(header, padded, strict=True)}
        except csv.Error as error:
            raise table_error(file, reader.line_num, str(error)) from error


def _jsonl(file: Path) -> Iterator[tuple[int, Record]]:
    """Yields (line, record) of a file with one JSON object a line."""
    with open(file, encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise table_error(file, number, f"not JSON ({error})") from error
            if not isinstance(record, dict):
                raise table_error(file, number, "not a JSON object")
            _require(file, number, list(record))
            yield number, {key: _text(file, number, key, value) for key, value in record.items()}


def _text(file: Path, line: int, key: str, value: object) -> str:
    """Returns a JSON value as text: null is empty, whole numbers are names."""
    if value is None:
        return ""
    if key in COLUMNS and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise table_error(file, line, f"{key} must be text or a whole number, not {value!r}")
    return str(value).strip()


def _require(file: Path, line: int, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        found = ", ".join(names) or "nothing"
        raise table_error(
            file, line, f"no {' and no '.join(missing)}: expected {', '.join(COLUMNS)}; found {found}"
        )
