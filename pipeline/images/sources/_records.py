"""The records of a table of images: checked, and taken up one by one."""

from __future__ import annotations

import os
import re
from array import array
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED
from pipeline.images.image_list import ImageList
from pipeline.images.listing import ImageListBuilder
from pipeline.images.repeats import repeated
from pipeline.images.sources._words import SPLIT_WORDS, in_natural_order, split_of

REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "split", "group")
"""The columns that have a meaning."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

Record = dict[str, str]


class Table:
    """Takes up the records of a table one by one.

    Attributes:
        ignored: Names of columns that have no meaning.
        unknown_split: What is wrong with the first split that is none; told last.
    """

    def __init__(self, file: Path) -> None:
        self.ignored: set[str] = set()
        self.unknown_split: UsageError | None = None
        self._file = file
        self._items = ImageListBuilder(root=file.parent)
        self._lines = array("q")
        self._labels: dict[str, int] = {}

    def add(self, line: int, record: Record) -> None:
        """Adds a record.

        Raises:
            UsageError: It is malformed.
        """
        self.ignored |= record.keys() - set(COLUMNS)
        _check_text(self._file, line, record)
        name, label, split = _image_path(self._file, line, record), record["label"], None
        try:
            split = _split(self._file, line, record.get("split", ""))
        except UsageError as error:
            self.unknown_split = self.unknown_split or error
        self._lines.append(line)
        self._items.add(
            name,
            self._labels.setdefault(label, len(self._labels)) if label else UNLABELLED,
            split=split,
            group=record.get("group") or None,
            path=os.path.join(self._file.parent, name),
        )

    def finish(self) -> tuple[ImageList, tuple[str, ...]]:
        """Returns the images, and the classes in natural order.

        Raises:
            UsageError: A path stands there twice; the message gives the first line that repeats another.
        """
        classes = in_natural_order(self._labels)
        index = {name: i for i, name in enumerate(classes)}
        listed = self._items.finish(labels=[index[name] for name in self._labels])
        first: dict[str, int] = {}
        for row in repeated(listed.ids):
            name, line = listed.ids[row], self._lines[row]
            if first.setdefault(name, line) != line:
                raise table_error(
                    self._file, line, f"{name!r} stands in line {first[name]} already; keep one of them"
                )
        return listed, tuple(classes)


def _check_text(file: Path, line: int, record: Record) -> None:
    """Refuses what neither a file system nor a feature file can hold."""
    for name in COLUMNS:
        text = record.get(name, "")
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise table_error(file, line, f"{name} {text!r} is not valid text")


def _image_path(file: Path, line: int, record: Record) -> str:
    path = record["path"]
    if not path:
        raise table_error(file, line, "the path is empty")
    if _URL.match(path):
        raise table_error(file, line, f"{path!r} is a URL: download the images and give their paths")
    return Path(os.path.normpath(path)).as_posix()


def _split(file: Path, line: int, word: str) -> str | None:
    split = split_of(word)
    if word and split is None:
        words = ", ".join(known for words in SPLIT_WORDS.values() for known in words)
        raise table_error(file, line, f"unknown split {word!r}: choose from {words}")
    return split


def table_error(file: Path, line: int, trouble: str) -> UsageError:
    """Returns the error that says what is wrong with a line."""
    return UsageError(f"{file}, line {line}: {trouble}")
