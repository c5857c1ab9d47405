"""The text of a table: how it is encoded, and what separates its columns."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import TextIO

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import refuse_special, without_waiting
from pipeline.images.sources._table_columns import find_columns

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between columns."""

_MARKED = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_FOREIGN = {
    b"PK\x03\x04": "a spreadsheet or another zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x1f\x8b": "compressed with gzip",
    b"%PDF": "a PDF",
    b"<": "a web page or XML",
}
_POINTER = b"version https://git-lfs"
_STATED = re.compile(r"sep=(.)", re.IGNORECASE)
_HEAD = 64
_HEADER = 1 << 20  # bytes of the longest first line that is looked at


def open_table(file: Path) -> TextIO:
    """Opens a table as text in the encoding that its byte order mark states, else UTF-8.

    Raises:
        UsageError: It is no text; the message says what it is instead.
        OSError: It cannot be read.
    """
    refuse_special(os.stat(file), most=None)
    with open(file, "rb", opener=without_waiting) as stream:
        head = stream.read(_HEAD)
    if head.startswith(_POINTER):
        raise UsageError(f"{file} is a Git LFS pointer, not the table itself: run `git lfs pull`")
    for start, kind in _FOREIGN.items():
        if head.lstrip().startswith(start):
            raise UsageError(f"{file} is {kind}, not a table of text: save it as CSV (UTF-8)")
    encoding = next((name for mark, name in _MARKED.items() if head.startswith(mark)), None)
    if encoding is None and b"\0" in head[:8]:
        raise UsageError(
            f"{file} is not UTF-8 text (UTF-16 without a byte order mark, it seems): save it as UTF-8"
        )
    return open(file, encoding=encoding or "utf-8", newline="", opener=without_waiting)


def not_utf_8(file: Path, error: UnicodeDecodeError) -> UsageError:
    """Makes the error for a table in an unknown encoding; it names the line."""
    if error.encoding not in ("utf-8", "utf-8-sig"):
        return UsageError(f"{file} is damaged {error.encoding} text ({error.reason}): save it as UTF-8")
    where = ""
    with open(file, "rb", opener=without_waiting) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as at:
                where = f", line {number}: byte {line[at.start]:#x}"
                break
    return UsageError(
        f"{file} is not UTF-8 text ({error.reason}{where}): save it as UTF-8; "
        'in Excel this is "CSV UTF-8", and plain "CSV" is another'
    )


def is_cut_off(file: Path) -> bool:
    """Tells whether the last line lacks its end."""
    with open(file, "rb", opener=without_waiting) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - 4, 0))
        tail = stream.read().rstrip(b"\0")
    return not tail.endswith((b"\n", b"\r"))


def separator(text: TextIO, *, usual: str, options: SourceOptions) -> tuple[str, int]:
    """Finds what separates the columns of a table with a header, and rewinds it.

    Args:
        text: The table.
        usual: The separator that the file's suffix promises.
        options: Columns that the user names.

    Returns:
        The separator, and how many lines stand before the header: ``sep=;`` as spreadsheets write it.
    """
    line, before = "", 0
    for line in iter(lambda: text.readline(_HEADER), ""):
        if line.strip():
            break
        before += 1
    text.seek(0)
    if stated := _STATED.fullmatch(line.rstrip("\r\n")):
        return stated[1], before + 1
    candidates = sorted(SEPARATORS, key=lambda mark: mark != usual)
    names = {mark: next(csv.reader([line], delimiter=mark, skipinitialspace=True), []) for mark in candidates}
    for mark in candidates:
        try:
            find_columns(names[mark], options)
        except ValueError:
            continue
        return mark, before
    return max(candidates, key=lambda mark: len(names[mark])), before
