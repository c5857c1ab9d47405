"""The records of a table of images: checked, and taken up one by one."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.image_list import ImageList, ImageListBuilder
from pipeline.images.packed_strings import PackedStrings, repeated
from pipeline.images.source import UNLABELLED
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._class_names import (
    NO_LABEL,
    means_none,
    name_remarks,
    number_remarks,
    unlabelled_remark,
)
from pipeline.images.sources._table_paths import ImagePath, read_path
from pipeline.images.sources._table_text import NONE, TableColumns, find_columns, tells_split
from pipeline.images.sources._words import STATED_WORDS, in_natural_order, on_one_line, some, stated_split

_SHOWN = 40
_LONG = 1000  # letters of a message about a line, whatever stands in it


class ImageTable:
    """Takes up the records of a table one by one.

    Attributes:
        unknown_split: What is wrong with the first split that is none; told last.
    """

    def __init__(self, file: Path, options: SourceOptions, *, of_files: bool = True) -> None:
        """Begins with no record.

        Args:
            file: The table.
            options: Columns that the user names.
            of_files: Whether ``path`` leads to a file; else it is a name, and taken as it is written.
        """
        self.unknown_split: UsageError | None = None
        self._file = file
        self._options = options
        self._of_files = of_files
        self._columns: dict[tuple[str, ...], TableColumns] = {}
        self._first: TableColumns | None = None
        self._items = ImageListBuilder(root=file.parent)
        self._lines = array("q")
        self._labels: Counter[str] = Counter()
        self._codes: dict[str, int] = {}
        self._last_label = ""
        self._leads_out = False
        self._without_group: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._short: list[int] = []
        self._unread = _UnreadSplits()

    def columns(self, line: int, names: tuple[str, ...]) -> TableColumns:
        """Returns the meaning of a header, or of the keys of a record.

        Raises:
            UsageError: A required one is missing, is there twice, or has another name than further up.
        """
        if names in self._columns:
            return self._columns[names]
        try:
            columns = find_columns(names, self._options)
            first = self._first = self._first or columns
            for meaning, name in columns.named.items():
                if first.named.get(meaning, name) != name:
                    raise ValueError(
                        f"the {meaning} is {name!r} here and {first.named[meaning]!r} further up"
                    )
        except ValueError as error:
            raise table_error(self._file, line, str(error)) from error
        self._columns[names] = columns
        return columns

    def add(self, line: int, names: tuple[str, ...], values: Sequence[str], *, short: bool = False) -> None:
        """Adds a record.

        Args:
            line: Where it stands.
            names: Its columns.
            values: A text for each of them.
            short: Whether it has fewer fields than there are columns; the missing ones are empty here.

        Raises:
            UsageError: It is malformed.
        """
        columns = self.columns(line, names)
        text = {meaning: values[at] for meaning, at in columns.position.items()}
        _check_text(self._file, line, text)
        place = self._place(line, text["path"])
        label, group = text.get("label", "").strip(), text.get("group", "").strip()
        self._lines.append(line)
        self._last_label = label
        self._labels[label] += 1
        self._leads_out |= self._of_files and place.name.startswith(("/", ".."))
        if place.change:
            self._changes[place.change] += 1
        if short:
            self._short.append(line)
        if group in NO_LABEL:
            self._without_group[group] += 1
        if "split" not in columns.position:
            self._unread.look_at(columns, values)
        self._items.add(
            place.name,
            self._codes.setdefault(label, len(self._codes)),
            split=self._split(line, text.get("split", "").strip()),
            group=None if group in NO_LABEL else group,
            path=os.path.join(self._file.parent, place.name) if self._of_files else None,
        )

    def finish(self) -> tuple[ImageList, tuple[str, ...]]:
        """Returns the images, and the classes in natural order.

        Raises:
            UsageError: A path stands there twice, the message gives the first line that repeats another; or
                a column that is not read names splits.
        """
        known = {label for label in self._codes if not means_none(label, self._codes)}
        classes = in_natural_order(known)
        index = {name: i for i, name in enumerate(classes)}
        listed = self._items.finish(labels=[index.get(name, UNLABELLED) for name in self._codes])
        self._refuse_repeats(listed)
        if self._options.split_column != NONE:
            self._unread.refuse(self._file)
        return listed, tuple(classes)

    def remarks(self, classes: Sequence[str], *, cut_off: Callable[[], bool]) -> list[str]:
        """Says what was not taken as it is written.

        Args:
            classes: The classes.
            cut_off: Tells whether the file ends within a line.
        """
        found = [*self._first.remarks] if self._first else []
        ignored = {name.strip() for columns in self._columns.values() for name in columns.others.values()}
        if ignored:
            found.append(f"ignored columns: {some(sorted(name or '(without a name)' for name in ignored))}")
        found += [f"{_paths(count)} read {change}" for change, count in self._changes.items()]
        if self._short:
            rows = "1 row has" if len(self._short) == 1 else f"{len(self._short):,} rows have"
            found.append(
                f"{rows} fewer fields than columns, first in line {self._short[0]:,}: taken as empty"
            )
        known = set(classes)
        found += unlabelled_remark({text: n for text, n in self._labels.items() if text not in known})
        if spelt := {text: count for text, count in self._without_group.items() if text}:
            listed = ", ".join(f"{text!r} ({count:,})" for text, count in sorted(spelt.items()))
            found.append(f"{listed} is taken for no group")
        found += name_remarks(classes) + number_remarks(classes, sum(self._labels[name] for name in classes))
        if (
            self._labels[self._last_label] == 1
            and self._last_label in known
            and len(known) < len(self._lines) / 2
        ) and cut_off():
            found.append(
                f"the last line has no end, and its label {self._last_label!r} stands nowhere else: "
                "the file may be cut off"
            )
        return found

    def _place(self, line: int, written: str) -> ImagePath:
        if not self._of_files:
            return ImagePath(written)
        try:
            return read_path(self._file.parent, written)
        except ValueError as error:
            raise table_error(self._file, line, str(error)) from error

    def _split(self, line: int, word: str) -> str | None:
        split = stated_split(word)
        if word and split is None:
            words = ", ".join(one for known in STATED_WORDS.values() for one in known)
            self.unknown_split = self.unknown_split or table_error(
                self._file, line, f"unknown split {word[:_SHOWN]!r}: choose from {words}"
            )
        return split

    def _refuse_repeats(self, listed: ImageList) -> None:
        first: dict[str, int] = {}
        names: PackedStrings = listed.ids
        if self._leads_out:  # then two names may be one file
            names = PackedStrings.of(
                os.path.normpath(os.path.join(self._file.parent, name)) for name in names
            )
        for row in repeated(names):
            name, line = names[row], self._lines[row]
            if first.setdefault(name, line) != line:
                raise table_error(
                    self._file,
                    line,
                    f"{name!r} stands in line {first[name]} already; keep one of them "
                    "(several labels for an image are not supported)",
                )


class _UnreadSplits:
    """Watches the columns that are not read for one that tells splits apart."""

    def __init__(self) -> None:
        self._words: dict[str, set[str]] = {}
        self._others: set[str] = set()

    def look_at(self, columns: TableColumns, values: Sequence[str]) -> None:
        """Takes notice of a record."""
        for at, name in columns.others.items():
            if name in self._others or (word := values[at].strip()) in NO_LABEL:
                continue
            split = stated_split(word)
            if split is None and not tells_split(name):
                self._others.add(name)
                self._words.pop(name, None)
            elif len(words := self._words.setdefault(name, set())) < 2:
                words.add(split or word)

    def refuse(self, file: Path) -> None:
        """Refuses a table whose own splits would be passed over.

        Raises:
            UsageError: A column holds the words of two splits and no others, or is named as ``is_test`` is.
        """
        for name, words in self._words.items():
            if len(words) < 2:
                continue
            shown, option = on_one_line(name.strip()), flag("split_column")
            way = (
                f"write a column split with {', '.join(STATED_WORDS)}"
                if tells_split(name)
                else f"give {option} {shown}"
            )
            raise UsageError(
                f"{file}: column {shown!r} tells splits apart ({', '.join(sorted(words))}) and is not read: "
                f"{way}, or {option} {NONE} to have splits chosen by content"
            )


def _check_text(file: Path, line: int, texts: dict[str, str]) -> None:
    """Refuses what neither a file system nor a feature file can hold."""
    for name, text in texts.items():
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise table_error(file, line, f"{name} {text[:_SHOWN]!r} is not valid text")


def _paths(count: int) -> str:
    return "1 path is" if count == 1 else f"{count:,} paths are"


def table_error(file: Path, line: int, trouble: str) -> UsageError:
    """Returns the error that says what is wrong with a line."""
    return UsageError(f"{file}, line {line}: {on_one_line(trouble[:_LONG])}")
