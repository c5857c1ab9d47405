"""A table of images: ``.csv`` or ``.jsonl`` with columns ``path, label[, split][, group]``."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, ImageItem
from pipeline.images.sources._files import FileSource, existing
from pipeline.images.sources._words import SPLIT_WORDS, in_natural_order, printable, some, split_of

ADDRESS = "a table .csv or .jsonl (columns path,label[,split][,group])"

_SUFFIXES = (".csv", ".jsonl")
_REQUIRED = ("path", "label")
_COLUMNS = (*_REQUIRED, "split", "group")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

Record = dict[str, str]


def claims(uri: str) -> bool:
    """Tells whether the address is a table by its suffix."""
    return uri.lower().endswith(_SUFFIXES) and not os.path.isdir(uri)


def open_uri(uri: str) -> FileSource:
    """Reads a table of images.

    Paths are relative to the table's folder, or absolute. An empty label means unlabelled, an empty split
    that the image's content decides, an empty group none. Text is UTF-8, with or without a byte order mark.

    Raises:
        UsageError: The table is missing, empty or malformed; the message gives the line.
    """
    file = existing(uri)
    records: list[tuple[int, Record]] = []
    ignored: set[str] = set()
    lines: dict[str, int] = {}
    try:
        for line, record in (_csv if file.suffix.lower() == ".csv" else _jsonl)(file):
            ignored |= record.keys() - set(_COLUMNS)
            _check_text(file, line, record)
            name = _image_path(file, line, record)
            if lines.setdefault(name, line) != line:
                raise _error(file, line, f"{name!r} stands in line {lines[name]} already; keep one of them")
            records.append((line, record | {"path": name}))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; check its permissions") from error
    if not records:
        raise UsageError(f"{file} lists no images: expected columns {', '.join(_COLUMNS)} and a row an image")
    classes = in_natural_order({record["label"] for _, record in records if record["label"]})
    index = {name: i for i, name in enumerate(classes)}
    return FileSource(
        uri=str(file),
        name=printable(file.stem),
        classes=tuple(classes),
        notes=(f"ignored columns: {some(sorted(ignored))}",) if ignored else (),
        listed=[
            ImageItem(
                id=record["path"],
                label=index.get(record["label"], UNLABELLED),
                split=_split(file, line, record.get("split", "")),
                group=record.get("group") or None,
                path=file.parent / record["path"],
            )
            for line, record in records
        ],
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
                    raise _error(file, reader.line_num, f"{len(fields)} fields under {len(header)} columns")
                if any(fields):
                    padded = fields + [""] * (len(header) - len(fields))
                    yield reader.line_num, {k: v.strip() for k, v in zip(header, padded, strict=True)}
        except csv.Error as error:
            raise _error(file, reader.line_num, str(error)) from error


def _jsonl(file: Path) -> Iterator[tuple[int, Record]]:
    """Yields (line, record) of a file with one JSON object a line."""
    with open(file, encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise _error(file, number, f"not JSON ({error})") from error
            if not isinstance(record, dict):
                raise _error(file, number, "not a JSON object")
            _require(file, number, list(record))
            yield number, {key: _text(file, number, key, value) for key, value in record.items()}


def _text(file: Path, line: int, key: str, value: object) -> str:
    """Returns a JSON value as text: null is empty, whole numbers are names."""
    if value is None:
        return ""
    if key in _COLUMNS and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise _error(file, line, f"{key} must be text or a whole number, not {value!r}")
    return str(value).strip()


def _require(file: Path, line: int, names: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        found = ", ".join(names) or "nothing"
        raise _error(
            file, line, f"no {' and no '.join(missing)}: expected {', '.join(_COLUMNS)}; found {found}"
        )


def _check_text(file: Path, line: int, record: Record) -> None:
    """Refuses what neither a file system nor a feature file can hold."""
    for name in _COLUMNS:
        text = record.get(name, "")
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise _error(file, line, f"{name} {text!r} is not valid text")


def _image_path(file: Path, line: int, record: Record) -> str:
    path = record["path"]
    if not path:
        raise _error(file, line, "the path is empty")
    if _URL.match(path):
        raise _error(file, line, f"{path!r} is a URL: download the images and give their paths")
    return Path(os.path.normpath(path)).as_posix()


def _split(file: Path, line: int, word: str) -> str | None:
    split = split_of(word)
    if word and split is None:
        words = ", ".join(known for words in SPLIT_WORDS.values() for known in words)
        raise _error(file, line, f"unknown split {word!r}: choose from {words}")
    return split


def _error(file: Path, line: int, trouble: str) -> UsageError:
    return UsageError(f"{file}, line {line}: {trouble}")
