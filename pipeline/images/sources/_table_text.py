"""The text of a table: its encoding, its separator, and what its columns are."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._files import refuse_special, without_waiting
from pipeline.images.sources._words import STATED_WORDS, on_one_line, some

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

PATH = "path"
REQUIRED = (PATH, "label")
MEANINGS = (*REQUIRED, "split", "group")
"""What a column can mean; each is also the name of the column that means it."""

NONE = "none"
"""Says of an optional column that there is none."""

_NAMES = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path"),
        *("image", "image_file", "image_name", "image_path", "img", "img_path"),
    ),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split",),
    "group": ("group",),
}
"""Names that are understood where they are unambiguous; the first of each needs no remark."""

_MARKS = "\ufeff\u200b\u200e\u200f"  # a byte order mark and its like, which nobody sees
_SHOWN = 8
_FLAG = re.compile(rf"is_?({'|'.join(word for words in STATED_WORDS.values() for word in words)})(_.*)?")


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


class ColumnTypes(NamedTuple):
    """What is known of columns beside their names; positions are counted from 0.

    Attributes:
        told: Meaning and position of columns whose type says what they are; a name that the user gives counts
            for more.
        held: Positions of the columns that hold images themselves, instead of paths.
    """

    told: tuple[tuple[str, int], ...] = ()
    held: frozenset[int] = frozenset()


UNTYPED = ColumnTypes()
"""A table of text: names are all there is."""


@dataclass(frozen=True)
class TableColumns:
    """The meaning of the columns of a table, or of the keys of one of its records.

    Attributes:
        position: Where each meaning stands, counted from 0.
        named: The name of the column of each meaning, as the table spells it.
        others: Position and name of the columns without a meaning.
        held: Whether the images stand in the table itself, where others have paths.
        targets: Where each of the target columns stands.
    """

    position: Mapping[str, int]
    named: Mapping[str, str]
    others: Mapping[int, str]
    held: bool = False
    targets: tuple[int, ...] = ()

    @property
    def remarks(self) -> list[str]:
        """What was read under another name than expected."""
        shown = {PATH: "image"} if self.held else {}
        return [
            f"column {on_one_line(name)!r} is read as the {shown.get(meaning, meaning)}"
            for meaning, name in self.named.items()
            if _plain(name) != shown.get(meaning, meaning)
        ]


def could_mean(meaning: str, name: str) -> bool:
    """Tells whether a column of this name is understood as one of this meaning."""
    return _plain(name) in _NAMES[meaning]


def find_columns(names: Sequence[str], options: SourceOptions, types: ColumnTypes = UNTYPED) -> TableColumns:
    """Finds the meaning of columns by their names, without regard to case and blanks.

    Args:
        names: The names in order.
        options: Columns that the user names.
        types: What is known of them beside their names.

    Raises:
        ValueError: A required column is missing, or several could be one; the message says how to choose.
    """
    wanted = {meaning: getattr(options, f"{meaning}_column") for meaning in MEANINGS}
    if options.target_column:
        wanted["label"] = wanted["label"] or NONE
    told = {meaning: at for meaning, at in types.told if not wanted[meaning]}
    position = {
        meaning: told[meaning] if meaning in told else _find(meaning, names, wanted[meaning])
        for meaning in MEANINGS
    }
    if options.target_column and not options.label_column:
        position["label"] = None  # even where a target is called `none`
    missing = [one for one in REQUIRED if position[one] is None and (one == PATH or wanted[one] != NONE)]
    if missing:
        ways = " ".join(f"{flag(f'{meaning}_column')} COLUMN" for meaning in missing)
        raise ValueError(
            f"no {' and no '.join(missing)}: expected {', '.join(MEANINGS)}; "
            f"found {some(names, _SHOWN) or 'nothing'}. If a column of another name holds it, give {ways}"
            f"{'; for images without labels, --label-column none' if 'label' in missing else ''}"
        )
    found = {meaning: at for meaning, at in position.items() if at is not None}
    targets = tuple(_named("target", names, name) for name in options.target_column)
    if both := sorted({*targets} & {*found.values()}):
        raise ValueError(f"column {on_one_line(names[both[0]])!r} cannot be a target and something else")
    if len({*targets}) < len(targets):
        twice = next(at for at in targets if targets.count(at) > 1)
        raise ValueError(f"{flag('target_column')} {on_one_line(names[twice])} is given twice: give it once")
    for meaning, at in found.items():
        if other := next((one for one in found if one != meaning and found[one] == at), None):
            raise ValueError(f"column {on_one_line(names[at])!r} cannot be both {meaning} and {other}")
    return TableColumns(
        found,
        {meaning: names[at] for meaning, at in found.items()},
        {at: name for at, name in enumerate(names) if at not in {*found.values(), *targets}},
        held=found[PATH] in types.held,
        targets=targets,
    )


def tells_split(name: str) -> bool:
    """Tells whether a column says by its name that it tells one split from the rest, as ``is_test`` does."""
    return _FLAG.fullmatch(_plain(name)) is not None


def _find(meaning: str, names: Sequence[str], wanted: str) -> int | None:
    if wanted:
        return _wanted(meaning, names, wanted)
    found = [at for at, name in enumerate(names) if could_mean(meaning, name)]
    if len(found) > 1:
        same = len({names[at].strip() for at in found}) == 1
        way = (
            "rename or remove one of them"
            if same
            else f"say which with {flag(f'{meaning}_column')} {on_one_line(names[found[0]].strip())}"
        )
        listed = " and ".join(repr(on_one_line(names[at])) for at in found[:_SHOWN])
        raise ValueError(f"{_count(found)} columns could be the {meaning}, {listed}: {way}")
    return found[0] if found else None


def _wanted(meaning: str, names: Sequence[str], wanted: str) -> int | None:
    if wanted == NONE and meaning != PATH and not any(_plain(name) == NONE for name in names):
        return None
    return _named(meaning, names, wanted)


def _named(meaning: str, names: Sequence[str], wanted: str) -> int:
    """Returns where the column stands that the user names.

    Raises:
        ValueError: There is none of this name, or several.
    """
    option = f"{flag(f'{meaning}_column')} {on_one_line(wanted)}"
    found = [at for at, name in enumerate(names) if name.strip() == wanted.strip()]
    found = found or [at for at, name in enumerate(names) if _plain(name) == _plain(wanted)]
    if not found:
        raise ValueError(f"no column for {option}: found {some(names, _SHOWN) or 'nothing'}")
    if len(found) > 1:
        listed = " and ".join(repr(on_one_line(names[at])) for at in found[:_SHOWN])
        raise ValueError(f"{_count(found)} columns fit {option}, {listed}: rename or remove one of them")
    return found[0]


def _count(found: Sequence[int]) -> str:
    return "two" if len(found) == 2 else str(len(found))


def _plain(name: str) -> str:
    """Returns a name as it is compared: without marks that nobody sees, case, and kinds of blanks."""
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if letter not in _MARKS)
    return re.sub(r"[\s_-]+", "_", visible.strip()).casefold()
